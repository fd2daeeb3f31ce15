import ArgumentParser
import Foundation
package import Hosting
import Manifests

struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve", abstract: "Runs the host.",
        discussion: """
            Serves the functions of the manifests given: files, or folders of them. SIGTERM or Ctrl-C drains: nothing new \
            is accepted, what runs may finish within --drain. A second one stops at once. SIGHUP, or \
            'apus reload', reads the manifests again and looks whether handlers have changed; when any manifest has a \
            problem, the running set stays as it is.

            Under systemd, or who else sets NOTIFY_SOCKET, says when it is ready, reloads and stops, and keeps the watchdog \
            content while it works. Sockets that are passed (LISTEN_FDS) take the place of --listen, and one that is named \
            admin that of --admin.

            Exits with 78 when a manifest has a problem, 69 when an address is taken or --require-sandbox cannot be met, 75 when another host has the data \
            folder or another program has locked its database, 73 when it cannot be written, 65 when a newer version \
            wrote it.

            Examples:

              apus serve            what is in manifests/
              apus serve --watch    … and take up each change at once
              apus serve shop/ blog.yaml --data /var/lib/apus --listen 0.0.0.0:80
            """)

    @Argument(help: "Manifest files and folders of them.", completion: .file(extensions: ["yaml", "yml"]))
    var manifests: [String] = ["manifests"]

    @Option(help: "The folder of state, queue and logs; one host at a time has it.", completion: .directory)
    var data = ".apus"

    @Option(help: ArgumentHelp("Where functions are served.", valueName: "host:port"))
    var listen = ListenAddress(port: 8080)

    @Option(help: ArgumentHelp("Where the admin API is served; it has no password.", valueName: "host:port"))
    var admin = ListenAddress(port: 8081)

    @Option(help: ArgumentHelp("Most worker processes of all functions together, which take turns.", valueName: "n"))
    var maxWorkers: Int?

    @Option(help: ArgumentHelp("Event loops; default: one for each processor.", valueName: "n"))
    var lanes: Int?

    @Option(
        help: ArgumentHelp(
            "How long a stopping host lets run what runs, such as 10s or 2m; at most 1d.", valueName: "time"))
    var drain = TimeSpan(.seconds(30))

    @Option(
        help: ArgumentHelp(
            """
            How long done asynchronous invocations and their results are kept, such as 12h or 7d, of all at most 100000 \
            and 256MiB.
            """,
            valueName: "time"))
    var keepDone = TimeSpan(.seconds(86_400))

    @Option(
        help: ArgumentHelp(
            "How long dead letters are kept, such as 12h or 7d, of all at most 100000 and 1GiB.", valueName: "time"))
    var keepDead = TimeSpan(.seconds(30 * 86_400))

    @Flag(help: "Take up changed manifests and handlers at once.")
    var watch = false

    @Option(
        help: ArgumentHelp(
            "full: run only where every protection of the sandbox can be had, and no function that is without.",
            valueName: "what"))
    var requireSandbox: SandboxRequirement?

    @Option(help: "How log lines look on standard error: pretty, plain or json; default: pretty on a terminal.")
    var logFormat: LogFormat = .automatic

    @Option(help: "Shows lines of this level and above: trace, debug, info, notice, warning, error or critical.")
    var logLevel: LogLevel = .info

    func validate() throws {
        if let maxWorkers, maxWorkers < 1 { throw ValidationError("--max-workers must be at least 1") }
        if drain.duration > .seconds(86_400) { throw ValidationError("--drain must be at most 1d") }
        for kept in [keepDone, keepDead] where kept.duration > .seconds(36_525 * 86_400) {
            throw ValidationError("\(Quantity.text(kept.duration)) is too long to keep; the most is 36525d")
        }
        if let lanes, !(1...1024).contains(lanes) { throw ValidationError("--lanes must be between 1 and 1024") }
    }

    func run() async throws {
        let configuration = hostConfiguration(cores: ProcessInfo.processInfo.activeProcessorCount)
        try await reporting {
            do {
                try await Host(configuration).run()
            } catch {
                throw Failure(StartFailure(error, configuration: configuration))
            }
        }
    }

    func hostConfiguration(cores: Int) -> HostConfiguration {
        var configuration = HostConfiguration(cores: cores)
        configuration.manifests = manifests
        configuration.data = data
        configuration.listen = listen
        configuration.admin = admin
        if let maxWorkers { configuration.maxWorkers = maxWorkers }
        if let lanes { configuration.lanes = lanes }
        configuration.drain = drain.duration
        configuration.keepDone = keepDone.duration
        configuration.keepDead = keepDead.duration
        configuration.watch = watch
        configuration.requiresFullSandbox = requireSandbox == .full
        configuration.logFormat = logFormat
        configuration.logLevel = logLevel
        return configuration
    }
}

extension ListenAddress: ExpressibleByArgument {
    package init?(argument: String) { self.init(argument) }
}

extension Failure {
    init(_ failure: StartFailure) {
        let status: Status =
            switch failure.kind {
            case .manifests: .configuration
            case .address: .unavailable
            case .dataInUse: .temporary
            case .dataUnwritable: .cannotCreate
            case .dataUnreadable: .data
            case .sandbox: .unavailable
            case .host: .software
            }
        self.init(status, failure.description)
    }
}

/// How much of the sandbox must be there.
enum SandboxRequirement: String, ExpressibleByArgument, CaseIterable {
    case full
}

extension LogFormat: ExpressibleByArgument {}
extension LogLevel: ExpressibleByArgument {}
