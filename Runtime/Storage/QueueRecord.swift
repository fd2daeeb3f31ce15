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
