import Admin
import Events
import Logging
import Telemetry
import Workers

/// Where log lines go: the host's own and the workers' both to the console and to files that can be searched.
struct HostLogs: Sendable {
    let logger: Logger
    private let store: LogStore
    private let console: Console

    init(directory: String, configuration: HostConfiguration) throws {
        let store = try LogStore(directory: directory)
        let console = Console(
            format: Console.Format(configuration.logFormat), level: Logger.Level(configuration.logLevel))
        self.store = store
        self.console = console
        // The files have every line; the console shows those of its level.
        logger = Logger(label: "apus") { _ in
            HostLogHandler(level: .debug) { line in
                store.record(line)
                console.show(line)
            }
        }
    }

    /// Takes the lines of workers.
    var output: WorkerOutput {
        { [store, console] line in
            let line = LogLine(line)
            store.record(line)
            console.show(line)
        }
    }

    func flush() {
        store.flush()
        console.flush()
    }

    /// What the admin API shows.
    var source: LogSource {
        LogSource(
            lines: { [store] query in
                await store.lines(LogFilter(query), limit: query.limit).map(\.json)
            },
            follow: { [store] query in
                await store.follow(LogFilter(query), last: query.limit).map(\.json)
            })
    }
}

extension Console.Format {
    fileprivate init(_ format: LogFormat) {
        self =
            switch format {
            case .automatic: .automatic
            case .pretty: .pretty
            case .plain: .plain
            case .json: .json
            }
    }
}

extension Logger.Level {
    fileprivate init(_ level: LogLevel) {
        self =
            switch level {
            case .trace: .trace
            case .debug: .debug
            case .info: .info
            case .notice: .notice
            case .warning: .warning
            case .error: .error
            case .critical: .critical
            }
    }
}

extension LogEntry {
    fileprivate var json: String {
        switch self {
        case .line(let line): line.json
        case .skipped(let count):
            LogLine(level: .warning, message: "\(count) lines are missing here: the reader is too slow").json
        }
    }
}

extension LogFilter {
    fileprivate init(_ query: LogQuery) {
        self.init(function: query.function, invocation: query.invocation, since: query.since)
    }
}

extension LogLine {
    fileprivate init(_ line: WorkerLine) {
        let source: Source =
            switch line.source {
            case .log: .log
            case .stdout: .stdout
            case .stderr: .stderr
            case .host: .host
            }
        self.init(
            level: Logger.Level(rawValue: line.level) ?? .info, function: line.function, worker: line.worker,
            invocation: line.invocation?.description, source: source, message: line.text, metadata: line.metadata)
    }
}
