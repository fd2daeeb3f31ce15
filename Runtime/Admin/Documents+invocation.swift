import Events
import Storage

/// One asynchronous invocation.
package struct InvocationDocument: Sendable, Codable {
    package var id: String
    package var function: String
    package var trigger: String
    package var source: String
    package var event: String
    package var type: String
    package var subject: String?
    /// `waiting`, `running`, `done` or `dead`.
    package var state: String
    /// Of RFC 9218: 0 runs first.
    package var priority: Int
    /// Attempts that have begun.
    package var attempt: Int
    package var enqueued: String
    package var due: String
    package var ended: String?
    /// Of the last attempt.
    package var outcome: String?
    package var reason: String?
    /// Bytes of its data; 0 once it is done.
    package var size: Int64
    /// Until when its result is kept; absent without one.
    package var resultExpires: String?

    init(_ record: QueueRecord) {
        id = record.id.description
        function = record.function
        trigger = record.trigger
        source = record.source
        event = record.event
        type = record.type
        subject = record.subject
        state = record.state.rawValue
        priority = record.urgency
        attempt = record.attempt
        enqueued = record.enqueued.description
        due = record.due.description
        ended = record.ended?.description
        outcome = record.outcome?.rawValue
        reason = record.reason
        size = record.size
        resultExpires = record.resultExpires?.description
    }
}

/// What an asynchronous invocation has answered.
package struct StoredResultDocument: Sendable, Codable {
    /// Of the response to a request; absent for what a handler returned for an event.
    package var status: Int?
    package var headers: [ResponseDocument.Field]
    package var body: BytesDocument
    /// Whether the body was longer than what is kept of it.
    package var cut: Bool

    init(_ result: InvocationResult) {
        status = result.status
        headers = result.headers.map { .init(name: $0.name, value: $0.value) }
        body = BytesDocument(result.body)
        cut = result.isCut
    }
}

package struct CancellationDocument: Sendable, Codable {
    /// The state that it was in; `done` when it was cancelled before.
    package var cancelled: String
}

/// How many dead letters were taken.
package struct DeadCountDocument: Sendable, Codable {
    package var count: Int
    /// What has kept the others from being taken.
    package var stopped: String?

    init(count: Int, stopped: String? = nil) {
        self.count = count
        self.stopped = stopped
    }
}
