package import Events

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
    /// Of the data of what waits and runs.
    package var bytes: Int64 = 0

    package init() {}
}

/// One asynchronous invocation, for people.
package struct QueueRecord: Sendable, Hashable {
    package var id: InvocationID
    package var function: String
    package var kind: TriggerKind
    package var trigger: String
    package var source: String
    package var event: String
    package var type: String
    package var subject: String?
    package var state: QueueState
    package var urgency: Int
    /// Attempts that have begun.
    package var attempt: Int
    package var enqueued: WallTime
    package var due: WallTime
    package var ended: WallTime?
    /// Of the last attempt.
    package var outcome: Outcome?
    package var reason: String?
    /// Bytes of its data; 0 once it is done.
    package var size: Int64
    /// Whether its result is kept, and until when.
    package var resultExpires: WallTime?
}
