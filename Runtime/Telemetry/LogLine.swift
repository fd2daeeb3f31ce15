package import Events
package import Logging

/// One line of the log, from a handler, a worker's output or the host itself.
package struct LogLine: Sendable, Hashable {
    /// Where a line came from.
    package enum Source: String, Sendable, Codable {
        /// Logged by the handler through its SDK.
        case log
        /// Printed by the handler.
        case stdout, stderr
        /// Said by the host.
        case host
    }

    package var time: WallTime
    package var level: Logger.Level
    package var function: String?
    /// The process id of the worker.
    package var worker: Int32?
    /// The 36-character form.
    package var invocation: String?
    package var source: Source
    package var message: String
    package var metadata: [HeaderField]

    package init(
        time: WallTime = .now(), level: Logger.Level = .info, function: String? = nil, worker: Int32? = nil,
        invocation: String? = nil, source: Source = .host, message: String, metadata: [HeaderField] = []
    ) {
        self.time = time
        self.level = level
        self.function = function
        self.worker = worker
        self.invocation = invocation
        self.source = source
        self.message = message
        self.metadata = metadata
    }

    /// About how many bytes the line holds in memory.
    var cost: Int {
        metadata.reduce(128 + message.utf8.count) { $0 + $1.name.utf8.count + $1.value.utf8.count + 32 }
    }
}

/// Which lines somebody wants to see. What is `nil` does not matter.
package struct LogFilter: Sendable, Hashable {
    package var function: String?
    package var invocation: String?
    package var since: WallTime?

    package init(function: String? = nil, invocation: String? = nil, since: WallTime? = nil) {
        self.function = function
        self.invocation = invocation
        self.since = since
    }

    package func matches(_ line: LogLine) -> Bool {
        (function == nil || line.function == function) && (invocation == nil || line.invocation == invocation)
            && (since.map { line.time >= $0 } ?? true)
    }
}
