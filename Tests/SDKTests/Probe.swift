import Apus

/// Does what the path of its request says.
struct Probe: HTTPFunction, TimerFunction, FileFunction {
    struct Odd: Error { var reason = "odd" }

    func respond(to request: HTTPRequest, in context: Context) async throws -> HTTPResponse {
        switch request.path {
        case "/count": return .text("\(try await request.body.collect().count)")
        case "/short": return .text(try await request.body.text(upTo: 4))
        case "/large": return .bytes([UInt8](repeating: 7, count: 200_000))
        case "/echo": return echo(request)
        case "/flood": return .stream { writer in while true { try await writer.write([1, 2, 3, 4]) } }
        case "/half":
            return .stream { writer in
                try await writer.write("half")
                throw Odd()
            }
        case "/sleep":
            try await Task.sleep(for: .seconds(1000))
            return .text("slept")
        case "/elsewhere": return .text(await Task.detached { "back" }.value)
        case "/throw": throw Odd()
        case "/permanent": throw PermanentFailure("no use")
        case "/teapot": throw HTTPError(418, "short and stout")
        case "/status": return HTTPResponse(status: 99)
        case "/context": return .text(facts(request, context))
        case "/log":
            context.log.warning("careful", ["key": "value"])
            return .empty()
        case "/leak":
            return .stream { writer in
                // Goes on after the stream has ended, as a handler must not.
                Task { while true { try await writer.write([1]) } }
                try await writer.write([2])
            }
        case "/chatter":
            for _ in 0..<1000 { context.log.debug(String(repeating: "x", count: 1000)) }
            return .empty()
        case "/long-log":
            context.log.info(String(repeating: "x", count: 100_000))
            return .empty()
        default: return try await state(request.path, context.state)
        }
    }

    private func echo(_ request: HTTPRequest) -> HTTPResponse {
        .stream { writer in for try await chunk in request.body { try await writer.write(chunk) } }
    }

    private func facts(_ request: HTTPRequest, _ context: Context) -> String {
        let query = request.queryParameters.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
        return """
            \(context.function) \(context.invocation) \(context.attempt) \(context.timeLeft <= .seconds(10)) \
            \(request.remoteAddress) \(request.headers["x-NAME"] ?? "-") \(query.joined(separator: ";"))
            """
    }

    private func state(_ path: String, _ state: State) async throws -> HTTPResponse {
        switch path {
        case "/get": return .text(try await state.string("k") ?? "none")
        case "/write":
            try await state.set("a", "1")
            try await state.delete("b")
            return .text("\(try await state.increment("n", by: 5))")
        case "/list": return .text(try await state.list(prefix: "p/", limit: 3).map(\.key).joined(separator: " "))
        case "/immediately":
            return .text(
                try await state.immediately { state in
                    try await state.set("progress", "1")
                    return "done"
                })
        case "/immediately-throws":
            return try await state.immediately { state in
                try await state.set("progress", "1")
                throw Odd()
            }
        case "/late":
            return .stream { writer in
                do {
                    try await state.set("k", "late")
                } catch {
                    try await writer.write("\(error)")
                }
                _ = try await state.immediately { try await $0.increment("n") }
            }
        case "/bulk":
            for index in 0..<20 { try await state.set("\(index)", [UInt8](repeating: 1, count: 100_000)) }
            return .empty()
        case "/keys":
            try await state.set(String(repeating: "k", count: 1025), "v")
            return .empty()
        case "/values":
            try await state.set("k", [UInt8](repeating: 1, count: 1 << 20 + 1))
            return .empty()
        case "/message":
            try await state.send([UInt8](repeating: 1, count: 9 << 20), to: "orders")
            return .empty()
        case "/attributes":
            let long = String(repeating: "x", count: 9 << 20)
            try await state.send("", to: "orders", attributes: ["subject": long])
            return .empty()
        case "/target":
            try await state.send("", to: String(repeating: "o", count: 9 << 20))
            return .empty()
        default: throw HTTPError(404, path)
        }
    }

    func run(_ timer: TimerEvent, in context: Context) async throws {
        if timer.due == "never" { throw Odd() }
        context.log.info(timer.due)
    }

    func handle(_ file: FileEvent, in context: Context) async throws {
        context.log.info("\(file.change) \(file.path)")
    }
}
