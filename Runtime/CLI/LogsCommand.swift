import ArgumentParser
import Events
import Telemetry

struct LogsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "logs", abstract: "Shows log lines of functions and of the host.",
        discussion: """
            What handlers log and print, with the function, the worker's process id and the invocation, and what the \
            host says. Times are in UTC. Where there is no such line, that is said on standard error.

            Examples:

              apus logs hello                          the last 100 lines of one function
              apus logs --follow                       everything, as it comes
              apus logs --since 15m --limit 10000
              apus logs --invocation 0198c0de-7000-7000-8000-000000000000
            """)

    @Argument(help: "The function; without it, all of them and the host.", transform: Name.read)
    var name: String?

    @Flag(name: .shortAndLong, help: "Go on with the lines that come.")
    var follow = false

    @Option(help: ArgumentHelp("Only lines of this invocation.", valueName: "id"), transform: Name.read)
    var invocation: String?

    @Option(help: ArgumentHelp("Only lines from then on: 15m (ago), 2026-11-20, 2026-11-20T18:00:00Z."))
    var since: Moment?

    @Option(
        name: .shortAndLong, help: ArgumentHelp("The newest so many; default: 100, with --follow 10.", valueName: "n"))
    var limit: Int?

    @OptionGroup var output: OutputOptions
    @OptionGroup var host: AdminOptions

    func run() async throws {
        try await reporting {
            let format: Console.Format = output.json ? .json : Terminal.hasColours ? .pretty : .plain
            var isEmpty = true
            try await host.client().lines(target(now: .now())) { bytes in
                isEmpty = false
                Terminal.line(Self.text(of: bytes, format))
            }
            if isEmpty {
                Terminal.error("the log has no " + (invocation.map { "line of invocation \($0)" } ?? "such line"))
            }
        }
    }

    func target(now: WallTime) -> Target {
        Target("v1", "logs").with("function", name).with("invocation", invocation)
            .with("since", since.map { "\($0.time(now: now).milliseconds)" })
            .with("limit", "\(limit ?? (follow ? 10 : 100))").with("follow", follow ? "true" : nil)
    }

    /// One line for the screen; what is not a log line is shown as it is.
    static func text(of bytes: [UInt8], _ format: Console.Format) -> String {
        guard format != .json, let line = LogLine(json: bytes) else {
            let text = String(decoding: bytes, as: UTF8.self)
            return format == .json ? text : text.printable(tabs: true)
        }
        return String(line.time.description.prefix(11)) + format.text(of: line)
    }
}
