package import Events
package import NIOCore
import Storage
package import Workers

/// An HTTP request that shall run later, from the queue.
package struct QueuedRequest: Sendable {
    package var id: InvocationID
    package var function: String
    /// Which trigger of the function, such as `orders/http/0`.
    package var trigger: String
    package var head: RequestHead
    package var body: ByteBuffer
    /// Not before this.
    package var due: WallTime
    /// That of RFC 9218 §4.1, 0…7.
    package var urgency: Int

    package init(
        id: InvocationID, function: String, trigger: String, head: RequestHead, body: ByteBuffer, due: WallTime,
        urgency: Int
    ) {
        self.id = id
        self.function = function
        self.trigger = trigger
        self.head = head
        self.body = body
        self.due = due
        self.urgency = urgency
    }

    /// Of the event that stands for it in the queue.
    static let type = "apus.http.request"

    /// An idempotency key is the event's id. It is unique as long as the response to its first request is kept, which
    /// the store sees to, so that the queue need not.
    fileprivate func invocation(now: WallTime) -> NewInvocation {
        let event = Event(
            id: head.idempotency?.key ?? id.description, source: "/functions/\(function)/requests", type: Self.type,
            time: now, dataContentType: head.headers.first("Content-Type"), data: Array(body.readableBytesView))
        return NewInvocation(
            id: id, function: function, kind: .http, trigger: trigger, event: event, request: head, due: due,
            urgency: urgency, mayRepeat: false)
    }
}

extension InvocationEngine {
    /// Puts the request into the queue; returns `acceptance` when it is on disk. A repeat of a request with an idempotency
    /// key gets what the first one got.
    ///
    /// - Throws: a `Problem` when it is not accepted; nothing is in the queue then.
    package func accept(
        _ request: QueuedRequest, answering acceptance: Reply, on lane: Lane
    ) async throws(Problem) -> Reply {
        let function = try admit(request.function, request.id)
        guard let key = request.head.idempotency else { return try await enqueue(request, acceptance, nil) }
        let keyed = KeyedRequest(
            key, of: request.function, fingerprint: Fingerprint.of(request.head, request.body))
        return try await once(keyed, of: function, id: request.id, on: lane) { () async throws(Problem) in
            try await self.enqueue(request, acceptance, keyed)
        }
    }

    private func enqueue(
        _ request: QueuedRequest, _ acceptance: Reply, _ keyed: KeyedRequest?
    ) async throws(Problem) -> Reply {
        let now = WallTime.now()
        let response = keyed?.response(.response(acceptance.head, acceptance.body), of: request.id, now: now)
        var effects = Effects(namespace: request.function)
        effects.messages = [request.invocation(now: now)]
        do {
            let result = try await store.commit(Commit(effects: effects, response: response))
            guard result == .committed else { throw Failure.repeated.problem }
        } catch let problem as Problem {
            throw problem
        } catch let full as QueueFull {
            throw .queueFull(full)
        } catch {
            throw Failure(unsaved: error).problem
        }
        if let keyed, let response { keyed.answered(response) }
        queueChanged(due: request.due)
        return acceptance
    }
}

extension Problem {
    fileprivate static func queueFull(_ full: QueueFull) -> Problem {
        Problem(
            status: 503, code: "queue-full", title: "The function's queue is full",
            detail: "As much waits for it as its manifest allows; the request was not accepted. Try again later.",
            retryAfter: 5)
    }
}
