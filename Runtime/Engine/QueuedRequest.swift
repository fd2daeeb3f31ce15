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
    /// That of RFC 9218 §4.1.
    package var urgency: Int

    package static let urgencies = NewInvocation.urgencies
    package static let usualUrgency = NewInvocation.usualUrgency

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
    fileprivate func invocation(of function: HostedFunction, now: WallTime) -> NewInvocation {
        let event = Event(
            id: head.idempotency?.key ?? id.description, source: function.requestSource, type: Self.type, time: now,
            dataContentType: head.headers.first("Content-Type"), data: Array(body.readableBytesView))
        return NewInvocation(
            id: id, function: self.function, kind: .http, trigger: trigger, event: event, request: head, due: due,
            urgency: urgency, mayRepeat: false)
    }
}

extension InvocationEngine {
    /// Puts the request into the queue. `end` is told `acceptance` once it is on disk, or why it is not accepted; nothing is
    /// in the queue then. A repeat of a request with an idempotency key gets what the first one got.
    ///
    /// - Parameter lane: whose thread this is, and on which `end` is told.
    package func accept(
        _ request: QueuedRequest, answering acceptance: Reply, on lane: Lane, _ end: @escaping ReplyEnd
    ) -> any RunningRequest {
        guard let key = request.head.idempotency else {
            enqueue(request, acceptance, nil, on: lane, end)
            return Enqueueing()
        }
        return Task.immediate(executorPreference: lane, end: end) { () async throws(Problem) in
            try await self.acceptOnce(request, acceptance, key, on: lane)
        }
    }

    private func acceptOnce(
        _ request: QueuedRequest, _ acceptance: Reply, _ key: IdempotencyKey, on lane: Lane
    ) async throws(Problem) -> Reply {
        let keyed = KeyedRequest(
            key, of: request.function, fingerprint: Fingerprint.of(request.head, request.body))
        let function = try admit(request.function, request.id)
        return try await once(keyed, of: function, id: request.id, on: lane) { () async throws(Problem) in
            try await withCheckedContinuation { continuation in
                self.enqueue(request, acceptance, keyed, on: lane) { continuation.resume(returning: $0) }
            }.get()
        }
    }

    private func enqueue(
        _ request: QueuedRequest, _ acceptance: Reply, _ keyed: KeyedRequest?, on lane: Lane,
        _ end: @escaping ReplyEnd
    ) {
        let function: HostedFunction
        do throws(Problem) {
            function = try admit(request.function, request.id)
        } catch {
            return end(.failure(error))
        }
        let now = WallTime.now()
        let response = keyed?.response(.response(acceptance.head, acceptance.body), of: request.id, now: now)
        store.enqueue(request.invocation(of: function, now: now), keeping: response) { [self] result in
            // On the lane again, and together with what else has been committed.
            lane.deliver { [self] in
                do throws(Problem) {
                    try enqueued(result)
                } catch {
                    return end(.failure(error))
                }
                if let keyed, let response { keyed.answered(response) }
                queueChanged(due: request.due)
                end(.success(acceptance))
            }
        }
    }

    private func enqueued(_ result: Result<CommitResult, any Error>) throws(Problem) {
        switch result {
        case .success(.committed): break
        case .success: throw Failure.repeated.problem
        case .failure(let full as QueueFull): throw .queueFull(full)
        case .failure(let error): throw Failure(unsaved: error).problem
        }
    }
}

/// A request on its way to the disk: it arrives there whether or not anybody waits.
private struct Enqueueing: RunningRequest {
    func cancel() {}
}

extension Problem {
    fileprivate static func queueFull(_ full: QueueFull) -> Problem {
        Problem(
            status: 503, code: "queue-full", title: "The function's queue is full",
            detail: "As much waits for it as its manifest allows; the request was not accepted. Try again later.",
            retryAfter: 5)
    }
}
