import Admin
import ArgumentParser

struct ListCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "Shows the functions of a host, their workers and queues.",
        discussion: """
            WORKERS are processes, RUNNING and WAITING calls; QUEUED are asynchronous invocations that are not done. \
            SUCCEEDED and FAILED count since the host came up. A function whose circuit breaker is open, because nearly \
            all of its latest calls failed, is marked by its name.

            Examples:

              apus list
              apus list --json | jq '.functions[].pool.workers | length'
            """)

    @OptionGroup var output: OutputOptions
    @OptionGroup var host: AdminOptions

    func run() async throws {
        try await reporting {
            let client = try host.client()
            let answer = try await client.send(.get, Target("v1", "functions"))
            if output.json {
                Terminal.bytes(answer)
            } else {
                Self.table(try client.decode(FunctionListDocument.self, answer).functions).show()
            }
        }
    }

    static func table(_ functions: [FunctionDocument]) -> Table {
        var table = Table([
            .text("NAME"), .number("WORKERS"), .number("RUNNING"), .number("WAITING"), .number("QUEUED"),
            .number("SUCCEEDED"), .number("FAILED"), .text("TRIGGERS"),
        ])
        for function in functions {
            let succeeded = function.outcomes["succeeded"] ?? 0
            let failed = function.outcomes.values.reduce(0, +) - succeeded
            // What keeps a function from its calls stands by its name.
            let isBroken = function.breaker == "open" || function.breaker == "half-open"
            table.add([
                function.name + (isBroken ? " (circuit \(function.breaker))" : ""), "\(function.pool.workers.count)",
                "\(function.pool.running)", "\(function.pool.waiting)",
                "\(function.queue.waiting + function.queue.running)", "\(succeeded)", "\(failed)",
                function.triggers.joined(separator: ", "),
            ])
        }
        return table
    }
}
