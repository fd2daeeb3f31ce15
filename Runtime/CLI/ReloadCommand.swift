import Admin
import ArgumentParser
import Telemetry

struct ReloadCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reload", abstract: "Makes a host take up its manifests and handlers as they are now.",
        discussion: """
            The host reads all its manifests again, and looks whether programs and scripts have changed. What has changed \
            takes over for new calls; those that run finish on the workers that they have, and no request fails for it. \
            Functions that have not changed keep their workers. Returns when the new set runs.

            When any manifest has a problem, nothing changes: every problem is printed, and the command exits with 78. \
            Without a host it exits with 69.

            Examples:

              apus reload
              apus check && apus reload
            """)

    @OptionGroup var output: OutputOptions
    @OptionGroup var host: AdminOptions

    func run() async throws {
        try await reporting {
            let client = try host.client()
            // 422: the document says what is wrong.
            let answer = try await client.send(.post, Target("v1", "reload"), accepting: [422])
            let document = try client.decode(ReloadDocument.self, answer)
            if output.json { Terminal.bytes(answer) }
            guard document.reloaded else { throw Self.failure(document) }
            if !output.json { for line in Self.lines(document) { Terminal.line(line) } }
        }
    }

    static func failure(_ document: ReloadDocument) -> Failure {
        Failure(
            .configuration,
            (["nothing has changed, since the manifests have problems:"] + document.problems).joined(separator: "\n"))
    }

    static func lines(_ document: ReloadDocument) -> [String] {
        let count = document.functions ?? 0
        let changes = [("new", document.added), ("changed", document.changed), ("gone", document.removed)]
            .flatMap { word, names in names.map { "\(word): \($0)".printable() } }
        let summary = "\(count) \(count == 1 ? "function" : "functions")"
        return changes.isEmpty ? ["\(summary), nothing changed"] : [summary] + changes
    }
}
