package import Events

/// Everything that lasts: one SQLite file in WAL mode with `synchronous=FULL`, one writer thread with group commit.
///
/// Its verbs are those of the domain, so that another engine can take its place.
package final class Store: Sendable {
    /// Opens `directory/apus.db`, creating both where they are missing, brings the schema up to date, and takes the
    /// lock that keeps a second host out. Running invocations of a host that died are waiting again afterwards.
    package init(directory: String) throws { fatalError("seam") }

    /// Waits for what is being written, then closes the file and gives up the lock.
    package func close() throws { fatalError("seam") }

    // MARK: State

    /// The value of `key` and its version; `nil` where there is none.
    package func value(_ key: String, in namespace: String) async throws -> VersionedValue? { fatalError("seam") }

    /// Keys that begin with `prefix`, greater than `after`, in byte order, at most `limit`.
    package func scan(prefix: String, after: String?, limit: Int, in namespace: String) async throws
        -> [VersionedEntry]
    { fatalError("seam") }

    package func namespaces() async throws -> [String] { fatalError("seam") }

    /// Whether all that `effects` has read is still current, at one instant. Needs no writer.
    package func isCurrent(_ effects: Effects) async throws -> Bool { fatalError("seam") }

    /// Checks what was read, applies what was written and settles the lease, as one; returns after the `fsync`.
    package func commit(_ commit: Commit) async throws -> CommitResult { fatalError("seam") }

    // MARK: Queue

    /// Adds events; one whose (function, source, id) is known already is skipped. Returns how many were new.
    package func enqueue(_ events: [NewInvocation]) async throws -> Int { fatalError("seam") }

    /// Marks up to `limit` waiting invocations of `function` that are due as running and returns them, oldest first.
    /// One whose `exclusive` is set stays while another of the same trigger runs. Counts as the next attempt.
    package func lease(function: String, limit: Int, now: WallTime) async throws -> [LeasedInvocation] {
        fatalError("seam")
    }

    /// Gives running invocations back, as if they had not been leased (the attempt does not count).
    package func giveBack(_ leases: [Lease]) async throws { fatalError("seam") }

    /// When the next waiting invocation of each function is due; the past means now.
    package func nextDue() async throws -> [String: WallTime] { fatalError("seam") }

    /// Of each function that has any.
    package func queueCounts() async throws -> [String: QueueCounts] { fatalError("seam") }

    /// The newest first, of `function` or of all.
    package func recent(function: String?, state: QueueState?, limit: Int) async throws -> [QueueRecord] {
        fatalError("seam")
    }

    /// Removes done invocations that ended before `time`. Returns how many.
    package func prune(doneBefore time: WallTime) async throws -> Int { fatalError("seam") }

    // MARK: Timers

    /// What is known of each timer trigger, by its key.
    package func timers() async throws -> [String: TimerRecord] { fatalError("seam") }

    /// Marks the instant `due` of the timer `key` as handled, and enqueues `invocation` in the same transaction unless
    /// it is `nil` (a skipped instant) or the instant was handled before. With `skipIfBusy`, also not while an earlier
    /// invocation of the trigger is waiting or running.
    package func fire(timer key: String, due: WallTime, invocation: NewInvocation?, skipIfBusy: Bool) async throws
        -> FireResult
    { fatalError("seam") }

    /// Notes that the timer `key` exists and has been watched since `since`; changes nothing when it is known with the
    /// same `definition`. A different definition starts anew.
    package func register(timer key: String, definition: String, since: WallTime) async throws -> TimerRecord {
        fatalError("seam")
    }

    // MARK: Files

    /// The index of the file trigger `key`, by path relative to the watched directory; `nil` before its first scan.
    package func fileIndex(trigger key: String) async throws -> [String: FileStamp]? { fatalError("seam") }

    /// Changes the index of the file trigger `key` and enqueues the events, as one transaction. `nil` removes a path.
    /// An empty change still marks the first scan as made.
    package func recordFiles(
        trigger key: String, changes: [String: FileStamp?], invocations: [NewInvocation]
    ) async throws { fatalError("seam") }
}

package struct VersionedValue: Sendable, Hashable {
    package var value: [UInt8]
    /// Greater with each commit that changes the key; never 0.
    package var version: Int64

    package init(value: [UInt8], version: Int64) {
        self.value = value
        self.version = version
    }
}

package struct VersionedEntry: Sendable, Hashable {
    package var key: String
    package var value: [UInt8]
    package var version: Int64

    package init(key: String, value: [UInt8], version: Int64) {
        self.key = key
        self.value = value
        self.version = version
    }
}

/// What an invocation, or one `immediately` block, has read and wants to write in one namespace.
package struct Effects: Sendable, Hashable {
    package enum Write: Sendable, Hashable {
        case set([UInt8])
        case delete
        /// Adds to the decimal number that the key holds; an absent key counts as 0.
        case increment(Int64)
    }

    /// One `list`, with what it saw.
    package struct Scan: Sendable, Hashable {
        package var prefix: String
        package var after: String?
        package var limit: Int
        /// Keys and versions in order, as the scan returned them.
        package var seen: [Seen]

        package init(prefix: String, after: String?, limit: Int, seen: [Seen]) {
            self.prefix = prefix
            self.after = after
            self.limit = limit
            self.seen = seen
        }
    }

    package struct Seen: Sendable, Hashable {
        package var key: String
        package var version: Int64

        package init(key: String, version: Int64) {
            self.key = key
            self.version = version
        }
    }

    package var namespace: String
    /// The version that each key had when it was first read; 0 where there was none.
    package var reads: [String: Int64] = [:]
    package var scans: [Scan] = []
    package var writes: [String: Write] = [:]

    package init(namespace: String) { self.namespace = namespace }
}

/// What one invocation commits.
package struct Commit: Sendable {
    package var effects: Effects?
    package var settle: (lease: Lease, settlement: Settlement)?

    package init(effects: Effects?, settle: (lease: Lease, settlement: Settlement)? = nil) {
        self.effects = effects
        self.settle = settle
    }
}

package enum CommitResult: Sendable, Hashable {
    case committed
    /// Something that was read has changed; nothing was applied.
    case conflicted
    /// Another has the invocation now; nothing was applied.
    case leaseLost
}

/// The right to settle one running invocation; a later lease of the same invocation has a higher epoch.
package struct Lease: Sendable, Hashable {
    package var invocation: InvocationID
    package var epoch: Int64

    package init(invocation: InvocationID, epoch: Int64) {
        self.invocation = invocation
        self.epoch = epoch
    }
}

package enum Settlement: Sendable, Hashable {
    case done
    case retry(at: WallTime, outcome: Outcome, reason: String)
    case dead(outcome: Outcome, reason: String)
}

/// An asynchronous event on its way into the queue.
package struct NewInvocation: Sendable, Hashable {
    package var id: InvocationID
    package var function: String
    package var kind: TriggerKind
    /// Which trigger of the function, such as `digest/timer/0`.
    package var trigger: String
    package var event: Event
    /// Not before this.
    package var due: WallTime
    /// Whether invocations of the same trigger run one after the other.
    package var exclusive: Bool

    package init(
        id: InvocationID = InvocationID(), function: String, kind: TriggerKind, trigger: String, event: Event,
        due: WallTime, exclusive: Bool = false
    ) {
        self.id = id
        self.function = function
        self.kind = kind
        self.trigger = trigger
        self.event = event
        self.due = due
        self.exclusive = exclusive
    }
}

package struct LeasedInvocation: Sendable {
    package var lease: Lease
    package var invocation: NewInvocation
    /// 1 for the first.
    package var attempt: Int
    package var enqueued: WallTime

    package init(lease: Lease, invocation: NewInvocation, attempt: Int, enqueued: WallTime) {
        self.lease = lease
        self.invocation = invocation
        self.attempt = attempt
        self.enqueued = enqueued
    }
}

package enum QueueState: String, Sendable, CaseIterable, Codable {
    case waiting, running, done, dead
}

/// `enqueued = waiting + running + done + dead`, counted since the data folder was made; pruned ones stay counted.
package struct QueueCounts: Sendable, Hashable, Codable {
    package var enqueued = 0
    package var waiting = 0
    package var running = 0
    package var done = 0
    package var dead = 0

    package init() {}
}

/// One asynchronous invocation, for people.
package struct QueueRecord: Sendable {
    package var id: InvocationID
    package var function: String
    package var trigger: String
    package var type: String
    package var subject: String?
    package var state: QueueState
    package var attempt: Int
    package var enqueued: WallTime
    package var due: WallTime
    package var ended: WallTime?
    /// Of the last attempt.
    package var outcome: Outcome?
    package var reason: String?

    package init(
        id: InvocationID, function: String, trigger: String, type: String, subject: String?, state: QueueState,
        attempt: Int, enqueued: WallTime, due: WallTime, ended: WallTime?, outcome: Outcome?, reason: String?
    ) {
        self.id = id
        self.function = function
        self.trigger = trigger
        self.type = type
        self.subject = subject
        self.state = state
        self.attempt = attempt
        self.enqueued = enqueued
        self.due = due
        self.ended = ended
        self.outcome = outcome
        self.reason = reason
    }
}

package struct TimerRecord: Sendable, Hashable {
    package var definition: String
    /// Instants up to here are handled, fired or not.
    package var handled: WallTime
    package var lastFired: WallTime?

    package init(definition: String, handled: WallTime, lastFired: WallTime?) {
        self.definition = definition
        self.handled = handled
        self.lastFired = lastFired
    }
}

package enum FireResult: Sendable, Hashable {
    case enqueued
    /// The instant was handled before.
    case duplicate
    /// An earlier invocation of the trigger is not done yet.
    case skippedBusy
    /// There was nothing to enqueue.
    case noted
}

/// What tells one state of a file from another.
package struct FileStamp: Sendable, Hashable {
    package var size: Int64
    /// Nanoseconds since 1970.
    package var modified: Int64
    package var inode: UInt64

    package init(size: Int64, modified: Int64, inode: UInt64) {
        self.size = size
        self.modified = modified
        self.inode = inode
    }
}
