package import Engine
package import Events
package import Workers

/// What the admin API shows and does, as the composition root gives it.
package struct AdminServices: Sendable {
    package var engine: InvocationEngine
    /// Where invocations that the admin API asks for begin.
    package var lane: Lane
    /// What must hold before the host can do its work.
    package var readiness: @Sendable () async -> [ReadinessCheck]
    package var logs: LogSource
    /// Reads the manifests again.
    package var reload: @Sendable () async -> ReloadDocument

    package init(
        engine: InvocationEngine, lane: Lane, readiness: @escaping @Sendable () async -> [ReadinessCheck],
        logs: LogSource, reload: @escaping @Sendable () async -> ReloadDocument
    ) {
        self.engine = engine
        self.lane = lane
        self.readiness = readiness
        self.logs = logs
        self.reload = reload
    }
}

/// One condition for being ready.
package struct ReadinessCheck: Sendable, Hashable, Codable {
    /// Such as `store` or `gateway`.
    package var name: String
    /// Why it does not hold; `nil` when it does.
    package var problem: String?

    package init(_ name: String, problem: String? = nil) {
        self.name = name
        self.problem = problem
    }
}

/// Which log lines somebody asks for.
package struct LogQuery: Sendable, Hashable {
    package var function: String?
    package var invocation: String?
    package var since: WallTime?
    /// The newest so many.
    package var limit: Int

    package init(function: String? = nil, invocation: String? = nil, since: WallTime? = nil, limit: Int = 1000) {
        self.function = function
        self.invocation = invocation
        self.since = since
        self.limit = limit
    }
}

/// The log, each line as a JSON object without a line break.
package struct LogSource: Sendable {
    /// The newest `limit` lines, in the order of their writing.
    package var lines: @Sendable (LogQuery) async -> [String]
    /// The newest `limit` lines, then those that come. The stream must be bounded.
    package var follow: @Sendable (LogQuery) async -> any AsyncSequence<String, Never> & Sendable

    package init(
        lines: @escaping @Sendable (LogQuery) async -> [String],
        follow: @escaping @Sendable (LogQuery) async -> any AsyncSequence<String, Never> & Sendable
    ) {
        self.lines = lines
        self.follow = follow
    }
}
