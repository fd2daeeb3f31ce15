import Apus
import Glibc
import Synchronization

/// Does what its request asks for: the last component of the path is the operation, the query has its arguments. The
/// contract suite and the end-to-end tests drive it.
///
/// `CONTRACT_START` in its environment says how it starts: `crash`, `refuse`, `slow` (a second), `never`, or with a
/// `thread` of its own.
@main
struct ContractWorker: HTTPFunction, TimerFunction, MessageFunction, StateFunction {
    init() throws {
        switch getenv("CONTRACT_START").map({ String(cString: $0) }) {
        case "crash": kill(getpid(), SIGKILL)
        case "refuse": throw PermanentFailure("told to refuse")
        case "slow": sleep(1)
        case "never": while true { sleep(3600) }
        case "thread":
            var thread = pthread_t()
            pthread_create(&thread, nil, { _ in while true { sleep(3600) } }, nil)
        default: break
        }
    }

    func respond(to request: HTTPRequest, in context: Context) async throws -> HTTPResponse {
        let operation = request.path.split(separator: "/").last.map(String.init) ?? ""
        let arguments = Arguments(request.queryParameters)
        if let response = try await answer(operation, arguments, request) { return response }
        if let response = try await misbehave(operation, arguments, context) { return response }
        if let response = try await useState(operation, arguments, context.state) { return response }
        if let response = try await send(operation, arguments, context) { return response }
        throw HTTPError(404, "no operation '\(operation)'\n")
    }

    /// Leaves a trace in the state and in the log; fails when the environment says so.
    func run(_ timer: TimerEvent, in context: Context) async throws {
        context.log.info("timer", ["id": timer.id])
        try await context.state.increment("timers")
        if getenv("CONTRACT_FAIL") != nil { throw PermanentFailure("told to fail") }
    }

    /// Leaves a trace in the state, and sends on to the target that its text names, if any.
    func receive(_ message: MessageEvent, in context: Context) async throws {
        try await context.state.increment("messages")
        try await context.state.set("message/" + message.id, message.attributes["apusdepth"] ?? "")
        if !message.text.isEmpty { try await context.send(message.text, to: message.text) }
    }

    /// Leaves the change in the state, counts it, and says when it is not the next one of its key; writes what its value
    /// names, if any, so that it may call itself.
    func follow(_ change: StateEvent, in context: Context) async throws {
        try await context.state.increment("changes")
        let last = try await context.state.string("last/" + change.key).flatMap { Int($0) } ?? 0
        if change.previousVersion ?? 0 != last { try await context.state.increment("gaps") }
        try await context.state.set("last/" + change.key, "\(change.version)")
        let value = change.text ?? "deleted"
        let trace = "\(value.prefix(100)) \(change.previousVersion ?? 0)"
        try await context.state.set("change/\(change.key)/\(change.version)", trace)
        try await context.state.set("depth/" + change.key, change.attributes["apusdepth"] ?? "")
        if value.hasPrefix("again ") { try await context.state.set(String(value.dropFirst(6)), value) }
    }

    private func answer(_ operation: String, _ arguments: Arguments, _ request: HTTPRequest) async throws
        -> HTTPResponse?
    {
        switch operation {
        case "echo": return .bytes(try await request.body.collect(upTo: 64 << 20))
        case "echo-stream":
            return .stream { writer in
                for try await chunk in request.body { try await writer.write(chunk) }
            }
        case "count":
            var count = 0
            for try await chunk in request.body { count += chunk.count }
            return .text("\(count)\n")
        case "bytes": return .bytes(Array(Memory.bytes.prefix(arguments["size"] ?? 0)))
        case "stream":
            let (chunks, size) = (arguments["chunks"] ?? 10, arguments["size"] ?? 1024)
            return .stream { writer in
                let chunk = [UInt8](repeating: UInt8(ascii: "x"), count: size)
                for _ in 0..<chunks {
                    try await writer.write(chunk)
                    printError("wrote\n")
                }
            }
        case "break":
            return .stream { writer in
                try await writer.write("the first part\n")
                throw PermanentFailure("told to break off")
            }
        case "request": return .text(describe(request))
        case "environment":
            let name = arguments.text["name"] ?? ""
            guard let value = getenv(name) else { throw HTTPError(404, "no \(name)\n") }
            return .text(String(cString: value))
        case "pid": return .text("\(getpid())\n")
        // What a shell prints that runs the body.
        case "shell":
            let script = try await request.body.collect(upTo: 64 << 10)
            return .text(output(of: String(decoding: script, as: UTF8.self)))
        // How many calls run in this worker, this one among them.
        case "running":
            defer { Memory.running.subtract(1, ordering: .relaxed) }
            let running = Memory.running.add(1, ordering: .relaxed).newValue
            try await Task.sleep(for: .microseconds(arguments["us"] ?? 100))
            return .text("\(running)")
        // A function that keeps something between calls.
        case "remember":
            return .text("{\"calls\": \(Memory.calls.add(1, ordering: .relaxed).newValue), \"name\": \"f\"}")
        default: return nil
        }
    }

    private func misbehave(_ operation: String, _ arguments: Arguments, _ context: Context) async throws
        -> HTTPResponse?
    {
        switch operation {
        case "sleep": try await Task.sleep(for: .milliseconds(arguments["ms"] ?? 100))
        case "stubborn":
            printError("stubborn\n")
            // A task of its own is not cancelled with the call.
            await Task { try? await Task.sleep(for: .milliseconds(arguments["ms"] ?? 60_000)) }.value
        case "block": usleep(UInt32((arguments["ms"] ?? 100) * 1000))
        case "ignore-term":
            signal(SIGTERM, SIG_IGN)
            while true { sleep(3600) }
        case "crash": kill(getpid(), SIGKILL)
        case "exit": _exit(Int32(arguments["status"] ?? 3))
        case "fail": throw PermanentFailure(arguments.text["message"] ?? "told to fail")
        case "allocate":
            let bytes = [UInt8](repeating: 1, count: (arguments["mib"] ?? 64) << 20)
            return .text("\(bytes.count)\n")
        case "flood": flood((arguments["mib"] ?? 1) << 20)
        case "garbage":
            let garbage = [UInt8](repeating: 0xFF, count: 64)
            write(3, garbage, garbage.count)
            try await Task.sleep(for: .seconds(60))
        case "print": printError((arguments.text["text"] ?? "printed") + "\n")
        case "log": context.log.warning(arguments.text["text"] ?? "logged", ["key": "value"])
        default: return nil
        }
        return .text("done\n")
    }

    private func useState(_ operation: String, _ arguments: Arguments, _ state: State) async throws -> HTTPResponse? {
        let key = arguments.text["key"] ?? "key"
        switch operation {
        case "get": return .text(try await state.string(key) ?? "")
        case "set": try await state.set(key, arguments.text["value"] ?? "")
        case "delete": try await state.delete(key)
        case "increment": return .text("\(try await state.increment(key, by: arguments["by"] ?? 1))\n")
        case "add":
            // Read, add, write: the counter that is right only if invocations are transactions.
            let sum = (try await state.string(key).flatMap { Int($0) } ?? 0) + (arguments["by"] ?? 1)
            try await state.set(key, "\(sum)")
            if let pause = arguments["ms"] { try await Task.sleep(for: .milliseconds(pause)) }
            return .text("\(sum)\n")
        case "list":
            let entries = try await state.list(prefix: arguments.text["prefix"] ?? "")
            return .text(entries.map { "\($0.key)=\(String(decoding: $0.value, as: UTF8.self))\n" }.joined())
        case "set-and-fail":
            try await state.set(key, arguments.text["value"] ?? "")
            throw PermanentFailure("told to fail after a write")
        case "set-and-stream":
            try await state.set(key, arguments.text["value"] ?? "")
            let lines = String(repeating: "more\n", count: arguments["lines"] ?? 1)
            return .stream { writer in while true { try await writer.write(lines) } }
        case "immediately": try await state.immediately { try await $0.set(key, "now") }
        case "steps":
            var results: [String] = []
            for step in (arguments.text["steps"] ?? "").split(separator: ",") {
                results.append(try await take(step, state))
            }
            return .text(results.joined(separator: ","))
        default: return nil
        }
        return .text("done\n")
    }

    /// One of several operations of a call, such as `increment-n`. Returns what it gives.
    private func take(_ step: Substring, _ state: State) async throws -> String {
        let (name, key) = (step.prefix { $0 != "-" }, String(step.drop { $0 != "-" }.dropFirst()))
        switch name {
        case "get": return try await state.string(key) ?? "none"
        case "set": try await state.set(key, "own")
        case "increment": return "\(try await state.increment(key, by: 2))"
        case "list": return "\(try await state.list(prefix: key).count)"
        case "aside": return try await state.immediately { try await $0.string(key) ?? "none" }
        case "both":
            // Side by side, on threads of their own.
            async let first = state.increment(key, by: 2)
            async let second = state.increment(key, by: 2)
            return try await [first, second].sorted(by: >).map { "\($0)" }.joined(separator: " ")
        case "fill": while open("/dev/null", O_RDONLY | O_CLOEXEC) >= 0 {}
        case "child": return try await Task { try await state.string(key) ?? "none" }.value
        default: throw HTTPError(400, "no step '\(step)'\n")
        }
        return "done"
    }

    private func send(_ operation: String, _ arguments: Arguments, _ context: Context) async throws -> HTTPResponse? {
        switch operation {
        case "send":
            try await context.send(arguments.text["text"] ?? "", to: arguments.text["to"] ?? "")
            try await context.state.increment("sent")
        case "send-and-fail":
            try await context.send(arguments.text["text"] ?? "", to: arguments.text["to"] ?? "")
            throw PermanentFailure("told to fail after it has sent")
        case "send-at-once-and-fail":
            let (text, target) = (arguments.text["text"] ?? "", arguments.text["to"] ?? "")
            try await context.state.immediately { try await $0.send(text, to: target) }
            throw PermanentFailure("told to fail after it has sent at once")
        default: return nil
        }
        return .text("done\n")
    }

    private func printError(_ text: String) {
        let bytes = [UInt8](text.utf8)
        write(2, bytes, bytes.count)
    }

    private func output(of script: String) -> String {
        guard let pipe = popen(script, "r") else { return "popen: \(errno)" }
        defer { pclose(pipe) }
        var bytes: [UInt8] = []
        while case let byte = fgetc(pipe), byte != EOF { bytes.append(UInt8(truncatingIfNeeded: byte)) }
        return String(decoding: bytes, as: UTF8.self)
    }

    private func flood(_ bytes: Int) {
        let line = [UInt8](repeating: UInt8(ascii: "l"), count: 1023) + [UInt8(ascii: "\n")]
        for _ in 0..<(bytes / line.count) { write(2, line, line.count) }
    }

    private func describe(_ request: HTTPRequest) -> String {
        let parameters = request.parameters.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
        return "\(request.method) \(request.path)?\(request.query) [\(parameters.joined(separator: ","))]\n"
    }
}

private enum Memory {
    static let calls = Atomic<Int>(0)
    static let running = Atomic<Int>(0)
    static let bytes = [UInt8](repeating: UInt8(ascii: "x"), count: 10 << 20)
}

private struct Arguments {
    let text: [String: String]

    init(_ text: [String: String]) { self.text = text }

    subscript(name: String) -> Int? { text[name].flatMap { Int($0) } }
}
