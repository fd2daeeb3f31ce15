import Engine
import Events
import Hummingbird
import NIOCore
import ServiceLifecycle

extension AdminRoutes {
    /// JSON lines: those that are there, and with `follow=true` those that come, until the caller goes away.
    func logs(_ request: Request) async throws -> Response {
        let follow = try request.query("follow") == "true"
        let id = try request.query("invocation").map { try invocation(named: $0) }
        let query = LogQuery(
            function: try request.query("function"), invocation: id?.description, since: try time("since", request),
            limit: try request.limit(default: follow ? 10 : 1000, most: 100_000))
        guard follow else {
            let lines = await services.logs.lines(query)
            if lines.isEmpty { try await requireFunction(query) }
            return .lines(ResponseBody(byteBuffer: ByteBuffer(string: lines.map { $0 + "\n" }.joined())))
        }
        try await requireFunction(query)
        return .lines(
            ResponseBody { writer in
                try await request.body.consumeWithCancellationOnInboundClose { _ in
                    try await copy(await services.logs.follow(query), to: &writer)
                }
                try await writer.finish(nil)
            })
    }

    /// A mistyped name must not look like a function that says nothing. One that is gone may have left lines.
    private func requireFunction(_ query: LogQuery) async throws {
        guard let name = query.function, engine.function(named: name) == nil else { return }
        let left = await services.logs.lines(LogQuery(function: name, limit: 1))
        if left.isEmpty { throw Problem.notFound("no function is named '\(name)', and the log has no line of one") }
    }

    private func copy(
        _ lines: some AsyncSequence<String, Never> & Sendable, to writer: inout any ResponseBodyWriter
    ) async throws {
        // A host that stops does not wait for its readers.
        for await line in lines.cancelOnGracefulShutdown() {
            try await writer.write(ByteBuffer(string: line + "\n"))
        }
    }

    /// Milliseconds since 1970.
    private func time(_ name: String, _ request: Request) throws(Problem) -> WallTime? {
        guard let text = try request.query(name) else { return nil }
        guard let milliseconds = Int64(text) else {
            throw .badRequest("'\(name)' is in milliseconds since 1970-01-01T00:00:00Z")
        }
        return WallTime(milliseconds: milliseconds)
    }
}

extension Response {
    fileprivate static func lines(_ body: ResponseBody) -> Response {
        Response(status: .ok, headers: [.contentType: "application/jsonl"], body: body)
    }
}
