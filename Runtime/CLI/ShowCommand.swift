import Admin
import ArgumentParser
import Telemetry

struct ShowCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Shows all about one function.",
        discussion: """
            What its manifest declares, which protections its sandbox has on this machine, its workers, how its last invocations ended, and its asynchronous ones.

            Examples:

              apus show hello
              apus show hello --json | jq .declared.settings
            """)

    @Argument(help: "The function.", transform: Name.read)
    var name: String

    @OptionGroup var output: OutputOptions
    @OptionGroup var host: AdminOptions

    func run() async throws {
        try await reporting {
            let client = try host.client()
            let answer = try await client.send(.get, Target("v1", "functions", name))
            if output.json {
                Terminal.bytes(answer)
            } else {
                let lines = Self.lines(
                    try client.decode(FunctionDetailDocument.self, answer), colours: Terminal.hasColours)
                for line in lines { Terminal.line(line) }
            }
        }
    }

    static func lines(_ detail: FunctionDetailDocument, colours: Bool) -> [String] {
        let function = detail.function
        let declared = detail.declared
        var lines = [function.name + (function.description.isEmpty ? "" : " – " + function.description)]
        lines += function.triggers.map { "  trigger    \($0)" }
        lines += [
            "  handler    \(declared.contract): \(declared.command.joined(separator: " "))",
            "  manifest   \(declared.file)", "  state      \(declared.namespace)",
            "  queue      \(function.queue.waiting) waiting, \(function.queue.running) running, "
                + "\(function.queue.done) done, \(function.queue.dead) dead",
        ]
        if declared.sandbox.isEmpty { lines.append("  sandbox    off") }
        if function.breaker != "closed" { lines.append("  breaker    \(function.breaker)") }
        if let reason = function.pool.backingOff { lines.append("  back-off   \(reason)") }
        lines = lines.map { $0.printable() }
        lines += section("sandbox", sandbox(detail), colours)
        lines += section("workers", workers(detail), colours)
        lines += section("last invocations", ended(detail), colours)
        lines += section("asynchronous invocations", queued(detail), colours)
        return lines
    }

    private static func section(_ title: String, _ table: Table, _ colours: Bool) -> [String] {
        table.rows.isEmpty ? [] : ["", title] + table.lines(colours: colours).map { "  " + $0 }
    }

    private static func sandbox(_ detail: FunctionDetailDocument) -> Table {
        var table = Table([.text("PROTECTION"), .text("ACTIVE"), .text("HOW")])
        for protection in detail.declared.sandbox {
            let state = protection.active ? "yes" : protection.wanted ? "NO" : "-"
            table.add([protection.protection, state, protection.details])
        }
        return table
    }

    private static func workers(_ detail: FunctionDetailDocument) -> Table {
        var table = Table([
            .number("PID"), .text("STATE"), .number("RUNNING"), .number("INVOCATIONS"), .number("AGE"),
        ])
        for worker in detail.function.pool.workers {
            table.add([
                "\(worker.pid)", worker.state, "\(worker.running)", "\(worker.invocations)",
                "\(Int(worker.ageSeconds))s",
            ])
        }
        return table
    }

    private static func ended(_ detail: FunctionDetailDocument) -> Table {
        var table = Table([
            .text("ENDED"), .text("INVOCATION"), .text("TRIGGER"), .text("OUTCOME"), .number("MS"), .text("REASON"),
        ])
        for ended in detail.function.last {
            let tenths = Int((ended.milliseconds * 10).rounded())
            table.add([
                ended.ended, ended.invocation, ended.trigger, ended.outcome, "\(tenths / 10).\(tenths % 10)",
                ended.reason ?? "",
            ])
        }
        return table
    }

    private static func queued(_ detail: FunctionDetailDocument) -> Table {
        var table = Table([
            .text("DUE"), .text("INVOCATION"), .text("TRIGGER"), .text("STATE"), .number("ATTEMPT"), .text("SUBJECT"),
            .text("REASON"),
        ])
        for invocation in detail.invocations {
            table.add([
                invocation.due, invocation.id, invocation.trigger, invocation.state, "\(invocation.attempt)",
                invocation.subject ?? "", invocation.reason ?? "",
            ])
        }
        return table
    }
}
