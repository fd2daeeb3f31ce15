import Admin
import ArgumentParser
import Events

struct DeadCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dead", abstract: "Shows dead letters, lets them run again, or drops them.",
        discussion: """
            An asynchronous invocation that has failed for good is a dead letter: its attempts or its time are used up, or \
            its handler says that another try is useless. It is kept, with its event, until it is retried or dropped, or \
            for the time and within the bounds that 'apus serve' is told.

            'retry' and 'drop' take ids, or a filter with --yes; without --yes they only count what the filter means.

            Examples:

              apus dead list --function mailer
              apus dead show 01a2…
              apus dead retry 01a2…
              apus dead retry --function mailer --older-than 1h --yes
              apus dead drop --all --yes
            """,
        subcommands: [List.self, Show.self, Retry.self, Drop.self])

    struct Filter: ParsableArguments {
        @Option(help: "Those of this function.", transform: Name.read) var function: String?
        @Option(help: "Those with this outcome: failed, timedOut, exhausted, …") var outcome: DeadOutcome?
        @Option(help: ArgumentHelp("Those that died before: a time, or how long ago, such as 1h.", valueName: "time"))
        var olderThan: Moment?

        var isEmpty: Bool { function == nil && outcome == nil && olderThan == nil }

        func applied(to target: Target) -> Target {
            target.with("function", function).with("outcome", outcome?.rawValue)
                .with("before", olderThan?.time().description)
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Lists dead letters, those that died last first.")
        @OptionGroup var filter: Filter
        @Option(help: "At most so many, up to 1000.") var limit = 100
        @OptionGroup var output: OutputOptions
        @OptionGroup var host: AdminOptions

        func run() async throws {
            try await reporting {
                let client = try host.client()
                let target = filter.applied(to: Target("v1", "dead")).with("limit", String(limit))
                let answer = try await client.send(.get, target)
                guard !output.json else { return Terminal.bytes(answer) }
                table(try client.decode(InvocationListDocument.self, answer).invocations).show()
            }
        }

        private func table(_ invocations: [InvocationDocument]) -> Table {
            var table = Table([
                .text("DIED"), .text("INVOCATION"), .text("FUNCTION"), .text("TYPE"), .number("ATTEMPTS"),
                .text("OUTCOME"), .text("REASON"),
            ])
            for letter in invocations {
                table.add([
                    letter.ended ?? "", letter.id, letter.function, letter.type, "\(letter.attempt)",
                    letter.outcome ?? "", letter.reason ?? "",
                ])
            }
            return table
        }
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Shows all about one dead letter.")
        @Argument(help: "The invocation's id.", transform: Name.read) var id: String
        @OptionGroup var output: OutputOptions
        @OptionGroup var host: AdminOptions

        func run() async throws {
            try await reporting {
                let client = try host.client()
                let answer = try await client.send(.get, Target("v1", "invocations", id))
                let document = try client.decode(InvocationDocument.self, answer)
                guard document.state == "dead" else {
                    throw Failure(.noInput, "\(id) is no dead letter, but \(document.state)")
                }
                guard !output.json else { return Terminal.bytes(answer) }
                for line in InvocationCommand.lines(document) { Terminal.line(line) }
            }
        }
    }

    struct Retry: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Lets dead letters run again, with all their attempts.")
        @OptionGroup var chosen: Chosen

        func run() async throws {
            try await reporting {
                try await chosen.take("retried", one: (.post, ["retry"]), all: (.post, ["retry"]))
            }
        }
    }

    struct Drop: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Drops dead letters and their data.")
        @OptionGroup var chosen: Chosen

        func run() async throws {
            try await reporting { try await chosen.take("dropped", one: (.delete, []), all: (.delete, [])) }
        }
    }
}

extension DeadCommand {
    /// Dead letters by their ids, or by a filter.
    struct Chosen: ParsableArguments {
        @Argument(help: "Ids of invocations.", transform: Name.read) var ids: [String] = []
        @OptionGroup var filter: Filter
        @Flag(help: "Every dead letter.") var all = false
        @Flag(help: "Do it, and do not only count.") var yes = false
        @OptionGroup var host: AdminOptions

        typealias Request = (method: AdminClient.Method, path: [String])

        func validate() throws {
            let isFiltered = all || !filter.isEmpty
            if ids.isEmpty, !isFiltered {
                throw ValidationError("say which: ids, --function, --outcome, --older-than or --all")
            }
            if !ids.isEmpty, isFiltered { throw ValidationError("give ids or a filter, not both") }
        }

        func take(_ done: String, one: Request, all every: Request) async throws {
            let client = try host.client()
            guard ids.isEmpty else {
                for id in ids {
                    _ = try await client.send(one.method, Target(["v1", "dead", id] + one.path))
                    Terminal.line("\(done) \(id)")
                }
                return
            }
            guard yes else { return try await count(client) }
            let target = filter.applied(to: Target(["v1", "dead"] + every.path)).with("all", all ? "true" : nil)
            let document = try client.decode(DeadCountDocument.self, try await client.send(every.method, target))
            Terminal.line("\(done) \(document.count)")
            if let stopped = document.stopped { throw Failure(.temporary, "stopped: \(stopped)") }
        }

        private func count(_ client: AdminClient) async throws {
            let target = filter.applied(to: Target("v1", "dead")).with("limit", "1000")
            let count = try await client.get(InvocationListDocument.self, target).invocations.count
            let amount = count == 1000 ? "1000 or more" : "\(count)"
            throw Failure(.usage, "the filter means \(amount) dead letters; add --yes to do it")
        }
    }
}

/// An outcome as an argument.
enum DeadOutcome: String, ExpressibleByArgument, CaseIterable {
    case failed, timedOut, rejected, conflicted, exhausted
}
