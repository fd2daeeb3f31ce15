package import Events

/// What one YAML document declares: a function, defaulted and validated. `manifests/reference.yaml` explains each key.
package struct Manifest: Sendable, Equatable {
    /// `[a-z][a-z0-9-]*`, at most 63 characters, unique among the manifests of a host.
    package var name: String
    package var description: String
    package var handler: Handler
    package var triggers: [Trigger]
    package var workers: WorkerPolicy
    package var limits: Limits
    package var retry: RetryPolicy
    package var destinations: Destinations
    package var sandbox: Sandbox
    /// The namespace of its state; the function's own name by default.
    package var namespace: String
    package var environment: [String: String]
    /// Absolute path of the file that declares it.
    package var file: String
}

/// The code behind a function, and how the host talks to it.
package struct Handler: Sendable, Equatable {
    package enum Contract: String, Sendable, CaseIterable {
        case apus, http, lambda, cgi, stdio

        /// Each invocation has a process of its own.
        package var isPerCall: Bool { self == .stdio || self == .cgi }
    }

    /// The program's absolute path and its arguments.
    package var command: [String]
    package var contract: Contract
    /// Absolute path of the working directory.
    package var directory: String
    /// Whether the manifest names it; otherwise it is the manifest's folder.
    package var namesDirectory: Bool
    /// The SwiftPM product that `command` was found by, if it was.
    package var product: String?
    /// Only of an `http` server: the path that it answers with 2xx once it is ready. Without one, it is ready when it
    /// accepts connections.
    package var health: String?
    /// Only of an `http` server: where it takes events that are not requests.
    package var path = "/"

    package init(
        command: [String], contract: Contract, directory: String, namesDirectory: Bool = false, product: String? = nil,
        health: String? = nil, path: String = "/"
    ) {
        self.command = command
        self.contract = contract
        self.directory = directory
        self.namesDirectory = namesDirectory
        self.product = product
        self.health = health
        self.path = path
    }
}

package enum Trigger: Sendable, Equatable {
    case http(HTTPTrigger)
    case timer(TimerTrigger)
    case file(FileTrigger)
    case topic(TopicTrigger)
    case state(StateTrigger)

    package var kind: TriggerKind {
        switch self {
        case .http: .http
        case .timer: .timer
        case .file: .file
        case .topic: .topic
        case .state: .state
        }
    }
}

package struct HTTPTrigger: Sendable, Equatable {
    package enum Idempotency: String, Sendable, CaseIterable {
        case optional, required, off
    }

    package var path: RoutePattern
    /// Uppercase method names; empty means every method.
    package var methods: [String]
    package var idempotency: Idempotency
    /// How long a stored response answers repeats.
    package var keep: Duration

    package init(
        path: RoutePattern, methods: [String] = [], idempotency: Idempotency = .off, keep: Duration = .seconds(86_400)
    ) {
        self.path = path
        self.methods = methods
        self.idempotency = idempotency
        self.keep = keep
    }
}

package struct TimerTrigger: Sendable, Equatable {
    package enum Schedule: Sendable, Equatable {
        /// The expression as written; it has been parsed once and fires at least once.
        case cron(String)
        case every(Duration)
        case at(WallTime)
    }
    /// What happens to due times that passed while the host was down.
    package enum Missed: String, Sendable, CaseIterable {
        case none, once, all
    }
    /// What happens when a time is due and the invocation of an earlier one still runs.
    package enum Overlap: String, Sendable, CaseIterable {
        case skip, queue, allow
    }
    package enum Gap: String, Sendable, CaseIterable {
        /// A fixed time inside the gap runs once, right after it.
        case run
        case skip
    }
    package enum Fold: String, Sendable, CaseIterable {
        /// A fixed time that occurs twice runs at the first.
        case once
        case both
    }

    package var schedule: Schedule
    /// IANA name, such as `Europe/Berlin`.
    package var zone: String
    package var gap: Gap
    package var fold: Fold
    package var missed: Missed
    /// Bounds `missed: all`; the newest ones are kept.
    package var missedLimit: Int
    package var overlap: Overlap
    /// Each fire is late by a random time below this.
    package var jitter: Duration

    package init(
        schedule: Schedule, zone: String = "UTC", gap: Gap = .run, fold: Fold = .once, missed: Missed = .once,
        missedLimit: Int = 100, overlap: Overlap = .skip, jitter: Duration = .zero
    ) {
        self.schedule = schedule
        self.zone = zone
        self.gap = gap
        self.fold = fold
        self.missed = missed
        self.missedLimit = missedLimit
        self.overlap = overlap
        self.jitter = jitter
    }
}

package struct FileTrigger: Sendable, Equatable {
    package enum Kind: String, Sendable, CaseIterable, Codable {
        case created, modified, deleted, moved
    }
    /// What happens to the files that the very first scan finds.
    package enum Existing: String, Sendable, CaseIterable {
        case ignore, deliver
    }

    /// Absolute path of the watched directory.
    package var watch: String
    package var include: [Glob]
    package var exclude: [Glob]
    package var events: Set<Kind>
    /// How long a file must be quiet before its event is delivered.
    package var settle: Duration
    package var existing: Existing

    package init(
        watch: String, include: [Glob] = [], exclude: [Glob] = [], events: Set<Kind> = Set(Kind.allCases),
        settle: Duration = .milliseconds(200), existing: Existing = .ignore
    ) {
        self.watch = watch
        self.include = include
        self.exclude = exclude
        self.events = events
        self.settle = settle
        self.existing = existing
    }
}

package struct TopicTrigger: Sendable, Equatable {
    /// A message reaches it that was sent to exactly this name.
    package var name: String
    /// Only messages that match; `nil` for all.
    package var filter: EventFilter?

    package init(_ name: String, filter: EventFilter? = nil) {
        self.name = name
        self.filter = filter
    }
}

package struct StateTrigger: Sendable, Equatable {
    /// The beginning of the keys to follow; empty for all of the namespace.
    package var prefix: String
    package var namespace: String

    package init(prefix: String, namespace: String) {
        self.prefix = prefix
        self.namespace = namespace
    }
}

package struct WorkerPolicy: Sendable, Equatable {
    package enum Instance: String, Sendable, CaseIterable {
        case reuse, fresh
    }

    package var min = 0
    package var max = 8
    /// Calls that one worker runs at once.
    package var concurrency = 1
    /// An idle worker above `min` stops after this.
    package var idle: Duration = .seconds(30)
    package var instance: Instance = .reuse
    /// A worker that has run this many invocations is replaced.
    package var retireInvocations = 10_000
    /// A worker this old is replaced.
    package var retireAge: Duration = .seconds(3600)
    /// A worker whose processes hold more bytes than this after a call is replaced; `nil` for no bound.
    package var retireMemory: Int64?
    /// `nil` when it is off.
    package var breaker: BreakerPolicy? = BreakerPolicy()

    package init() {}
}

/// When the calls of a function that keeps failing are turned away at once.
package struct BreakerPolicy: Sendable, Equatable {
    /// It opens when this many percent of the latest calls have failed …
    package var failures = 90
    /// … of at least this many.
    package var calls = 20
    /// How long it stays open before one call may try; twice as long after each try that fails.
    package var rest: Duration = .seconds(5)

    package init() {}
}

package struct Limits: Sendable, Equatable {
    /// With less, hardly anything starts: a Swift worker needs 2 to 4 MiB of data before it runs its first call, Python
    /// 4 MiB, and each thread takes a stack of 8 MiB.
    static let leastMemory: Int64 = 16 << 20
    static let keys = ["time", "memory", "processes", "body", "waiting", "wait", "queue", "queueSize"]

    /// How long one attempt may run.
    package var time: Duration = .seconds(10)
    /// Bytes that one worker may allocate.
    package var memory: Int64 = 256 << 20
    /// Processes and threads that one worker may have at a time, itself among them.
    package var processes = 512
    /// Bytes of a request body.
    package var body: Int64 = 6 << 20
    /// Calls that may wait for a worker; one more is rejected.
    package var waiting = 1000
    /// How long a call waits for a worker before it is rejected.
    package var wait: Duration = .seconds(5)
    /// Asynchronous invocations that may wait in its queue; what would be one more is refused.
    package var queue = 1_000_000
    /// Bytes of data that its queue may hold.
    package var queueSize: Int64 = 1 << 30

    package init() {}
}

package struct RetryPolicy: Sendable, Equatable {
    /// Tries in all, the first among them.
    package var attempts = 5
    /// The longest delay before the second try; it doubles with each one.
    package var first: Duration = .seconds(1)
    package var longest: Duration = .seconds(300)
    /// No try starts later than this after the event happened.
    package var within: Duration = .seconds(21_600)

    package init() {}
}

/// Functions or topics that are told of outcomes.
package struct Destinations: Sendable, Equatable {
    package var success: String?
    package var failure: String?

    package init() {}
}

package struct Sandbox: Sendable, Equatable {
    package enum Network: String, Sendable, CaseIterable {
        case none, loopback, full
    }

    /// What keeps a worker within its bounds; each can be there or not, as the machine has it.
    package enum Protection: String, Sendable, CaseIterable, Codable {
        /// Which files it may read and write.
        case files
        /// Which addresses it may reach, when `network` is not `full`.
        case network
        /// System calls that no handler needs.
        case calls
        /// The capabilities of a worker whose host runs as root.
        case privileges
        /// Signals to, and abstract sockets of, processes that are not its own.
        case signals
        /// How many processes and threads it may have.
        case processes
        /// What all its processes together may keep in memory.
        case memory
    }

    package var enabled = true
    package var network: Network = .full
    /// Absolute paths that a worker may read besides its own code and the system.
    package var read: [String] = []
    /// Absolute paths that a worker may write besides its temporary directory.
    package var write: [String] = []
    /// Absolute paths that it may not reach even below what it may read or write; the host adds its data folder.
    package var hidden: [String] = []
    /// What is kept from it of what it may read, except for what is its own and what its manifest grants; `nil` for nothing.
    package var neighbourhood: Neighbourhood?
    /// Protections that it goes without. No manifest can say so; tests do, to prove what each of them is for.
    package var lifted: Set<Protection> = []

    package init() {}
}

extension Manifest {
    package var httpTriggers: [HTTPTrigger] {
        triggers.compactMap { if case .http(let trigger) = $0 { trigger } else { nil } }
    }

    package init(name: String, handler: Handler, triggers: [Trigger], file: String = "") {
        self.init(
            name: name, description: "", handler: handler, triggers: triggers, workers: WorkerPolicy(),
            limits: Limits(), retry: RetryPolicy(), destinations: Destinations(), sandbox: Sandbox(),
            namespace: name, environment: [:], file: file)
    }
}
