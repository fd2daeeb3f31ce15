import Admin
import ArgumentParser
import Manifests
import Telemetry

struct InvocationCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "invocation", abstract: "Shows one asynchronous invocation, or what it answered.",
        discussion: """
            Done ones are kept for a day and dead letters for a month, as 'apus serve' is told. With --wait, exits with 0 \
            when it has succeeded, with 1 when it has not, and with 75 when the time is over.

            Examples:

              apus invocation 01a2…              its state, attempts and outcome
              apus invocation 01a2… --wait 1m    … once it has ended
              apus invocation 01a2… --result     what it answered, as it is
            """)

    @Argument(help: "The invocation's id.", transform: Name.read)
    var id: String

    @Option(
        parsing: .unconditional, help: ArgumentHelp("Wait until it has ended, at most so long.", valueName: "time"),
        transform: TimeSpan.read)
    var wait: TimeSpan?

    @Flag(help: "Print the body of what it answered.")
    var result = false

    @OptionGroup var output: OutputOptions
    @OptionGroup var host: AdminOptions

    func run() async throws {
        try await reporting {
            let client = try host.client()
            let answer = try await ended(client)
            let document = try client.decode(InvocationDocument.self, answer)
            let hasFailed = wait != nil && (document.outcome != "succeeded" || document.state != "done")
            if result {
                if hasFailed { throw Failure(.failed, document.reason ?? document.outcome ?? document.state) }
                // One that answers nothing has done what it should.
                if wait == nil || document.resultExpires != nil { try await showResult(client) }
            } else if output.json {
                Terminal.bytes(answer)
            } else {
                for line in Self.lines(document) { Terminal.line(line) }
            }
            if hasFailed { throw Failure(.failed, "") }
        }
    }

    /// The document, after the wait that was asked for.
    private func ended(_ client: AdminClient) async throws -> [UInt8] {
        let end = ContinuousClock.now + (wait?.duration ?? .zero)
        var pause = Duration.milliseconds(20)
        while true {
            let answer = try await client.send(.get, Target("v1", "invocations", id))
            let document = try client.decode(InvocationDocument.self, answer)
            guard wait != nil, document.ended == nil else { return answer }
            guard ContinuousClock.now < end else {
                throw Failure(.temporary, "the invocation is still \(document.state); it is due at \(document.due)")
            }
            try await Task.sleep(for: min(pause, end - .now))
            pause = min(pause * 2, .seconds(1))
        }
    }

    private func showResult(_ client: AdminClient) async throws {
        let answer = try await client.send(.get, Target("v1", "invocations", id, "result"))
        guard !output.json else { return Terminal.bytes(answer) }
        let stored = try client.decode(StoredResultDocument.self, answer)
        if let status = stored.status, status >= 400 { Terminal.error("status \(status)") }
        Terminal.bytes(stored.body.bytes ?? [])
        if stored.cut { Terminal.error("the body was longer than what is kept of it") }
    }

    static func lines(_ document: InvocationDocument) -> [String] {
        var lines = [
            "\(document.function) \(document.id)", "  state      \(document.state)",
            "  trigger    \(document.trigger)", "  event      \(document.type) \(document.event) of \(document.source)",
        ]
        if let subject = document.subject { lines.append("  subject    \(subject)") }
        lines += [
            "  attempts   \(document.attempt)", "  priority   \(document.priority)",
            "  enqueued   \(document.enqueued)", "  due        \(document.due)",
        ]
        if let ended = document.ended { lines.append("  ended      \(ended)") }
        if let outcome = document.outcome { lines.append("  outcome    \(outcome)") }
        if let reason = document.reason { lines.append("  reason     \(reason)") }
        if document.size > 0 { lines.append("  data       \(Quantity.text(size: document.size))") }
        if let expires = document.resultExpires { lines.append("  result     kept until \(expires)") }
        return lines.map { $0.printable() }
    }
}

struct CancelCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cancel", abstract: "Ends an asynchronous invocation that has not ended.",
        discussion: """
            One that waits does not run. One that runs is ended: nothing of its state and messages is applied; what its \
            handler has done elsewhere stays done. One that was cancelled before stays so, and one that has ended \
            otherwise is refused with 65.

            Examples:

              apus cancel 01a2…
            """)

    @Argument(help: "The invocation's id.", transform: Name.read)
    var id: String

    @OptionGroup var output: OutputOptions
    @OptionGroup var host: AdminOptions

    func run() async throws {
        try await reporting {
            let client = try host.client()
            let answer = try await client.send(.delete, Target("v1", "invocations", id))
            guard !output.json else { return Terminal.bytes(answer) }
            let state = try client.decode(CancellationDocument.self, answer).cancelled
            Terminal.line(state == "done" ? "it was cancelled before" : "cancelled; it was \(state)")
        }
    }
}
