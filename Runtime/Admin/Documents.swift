import Events
package import Storage
import Workers

/// What the admin API says of one function.
package struct FunctionDocument: Sendable, Codable {
    package var name: String
    package var description: String
    /// One line a trigger, such as `timer cron 0 7 * * 1-5 Europe/Berlin`.
    package var triggers: [String]
    package var pool: PoolDocument
    /// Its circuit breaker: `closed`, `open` (calls are turned away), `half-open` (one may try), or `off`.
    package var breaker: String
    /// How many invocations ended in which way since the host came up.
    package var outcomes: [String: Int]
    package var running: Int
    package var queue: QueueDocument
    package var last: [EndedDocument]
}

package struct FunctionListDocument: Sendable, Codable {
    package var functions: [FunctionDocument]
}

/// The workers of a function and the calls that they have.
package struct PoolDocument: Sendable, Codable {
    package struct Worker: Sendable, Codable {
        package var pid: Int32
        /// `starting`, `idle`, `busy` or `stopping`.
        package var state: String
        package var running: Int
        package var invocations: Int
        package var ageSeconds: Double
    }

    package var workers: [Worker]
    package var waiting: Int
    package var running: Int
    /// Starts since the host came up.
    package var started: Int
    /// Why no worker is started now.
    package var backingOff: String?

    init(_ pool: PoolSnapshot) {
        workers = pool.workers.map {
            Worker(
                pid: $0.pid, state: $0.state, running: $0.running, invocations: $0.invocations,
                ageSeconds: $0.ageSeconds)
        }
        waiting = pool.waiting
        running = pool.running
        started = pool.started
        backingOff = pool.backingOff
    }
}

/// The asynchronous invocations of a function, counted since the data folder was made.
package struct QueueDocument: Sendable, Codable {
    package var enqueued: Int
    package var waiting: Int
    package var running: Int
    package var done: Int
    package var dead: Int
    /// Of the data of what waits and runs.
    package var bytes: Int64

    init(_ counts: QueueCounts) {
        enqueued = counts.enqueued
        waiting = counts.waiting
        running = counts.running
        done = counts.done
        dead = counts.dead
        bytes = counts.bytes
    }
}

/// One function with what its manifest declares and its latest asynchronous invocations.
package struct FunctionDetailDocument: Sendable, Codable {
    package var function: FunctionDocument
    package var declared: DeclaredDocument
    package var invocations: [InvocationDocument]
}

/// What a manifest declares, after defaults.
package struct DeclaredDocument: Sendable, Codable {
    package var file: String
    package var contract: String
    package var command: [String]
    package var product: String?
    package var directory: String
    package var namespace: String
    /// The settings in the words of the manifest, such as `limits.time`: `10s`.
    package var settings: [String: String]
    /// What protects the machine from its workers, and what this machine lacks for it; empty with `sandbox: off`.
    package var sandbox: [ProtectionDocument]
}

/// One protection of a function's sandbox, on this machine.
package struct ProtectionDocument: Sendable, Codable {
    /// `files`, `network`, `calls`, `privileges`, `signals`, `processes` or `memory`.
    package var protection: String
    package var active: Bool
    /// Whether the manifest asks for it; one that is neither active nor wanted lacks nothing.
    package var wanted: Bool
    /// How it works, or what it takes.
    package var details: String
}

/// How one invocation ended.
package struct EndedDocument: Sendable, Codable {
    package var invocation: String
    package var trigger: String
    package var outcome: String
    package var ended: String
    package var milliseconds: Double
    package var reason: String?
}

package struct InvocationListDocument: Sendable, Codable {
    package var invocations: [InvocationDocument]
}

/// What an invocation through the admin API came to.
package struct InvocationResultDocument: Sendable, Codable {
    package var invocation: String
    /// `succeeded`, or `queued` for an asynchronous one.
    package var outcome: String
    package var milliseconds: Double?
    package var response: ResponseDocument?
}

package struct ResponseDocument: Sendable, Codable {
    package struct Field: Sendable, Codable {
        package var name: String
        package var value: String
    }

    package var status: Int
    package var headers: [Field]
    package var body: BytesDocument
}

/// Bytes in JSON: `text` where they are UTF-8, `base64` otherwise.
package struct BytesDocument: Sendable, Codable, Hashable {
    package var text: String?
    package var base64: String?
}

package struct StateListDocument: Sendable, Codable {
    package struct Entry: Sendable, Codable {
        package var key: String
        package var version: Int64
        package var value: BytesDocument
    }

    package var entries: [Entry]
    /// Ask again with `after` set to this; absent at the end.
    package var next: String?
}

package struct NamespaceListDocument: Sendable, Codable {
    package var namespaces: [String]
}

package struct ReadinessDocument: Sendable, Codable {
    package var ready: Bool
    package var checks: [ReadinessCheck]
}

/// What a reload has come to.
package struct ReloadDocument: Sendable, Codable, Equatable {
    package var reloaded: Bool
    /// What is wrong with the manifests, one line a problem; with any, nothing has changed.
    package var problems: [String] = []
    /// How many there are now; nothing when it has failed.
    package var functions: Int?
    package var added: [String] = []
    /// Those whose manifest or handler is another.
    package var changed: [String] = []
    package var removed: [String] = []

    package init(problems: [String]) {
        reloaded = problems.isEmpty
        self.problems = problems
    }

    package init(functions: Int, added: [String] = [], changed: [String] = [], removed: [String] = []) {
        reloaded = true
        self.functions = functions
        self.added = added
        self.changed = changed
        self.removed = removed
    }
}

/// How well what is written is gathered into transactions: `units` by `commits` is the mean size of one.
package struct StorageDocument: Sendable, Codable {
    /// Transactions since the host came up, each with one `fsync` when it changed anything.
    package var commits: Int
    /// What was asked for: effects of invocations, enqueued events, leases.
    package var units: Int
    /// Units that wait now.
    package var waiting: Int

    package init(_ statistics: WriterStatistics) {
        commits = statistics.commits
        units = statistics.units
        waiting = statistics.waiting
    }
}
