package import Events
import Manifests
import NIOCore
import Storage
import Workers

/// Requests with an idempotency key: the first one runs, and its answer is stored in the transaction of its effects; its
/// repeats get that answer. What failed has stored nothing, so that a repeat runs again.
extension InvocationEngine {
    /// Bytes of a response that can be kept for repeats.
    static let mostKept = 6 << 20

    /// A repeat that comes while the first request runs waits for it as long as a call waits for a worker. The draft
    /// would have it answered 409 at once; but a client that repeats wants the answer, and one that is told to come back
    /// asks in a loop. After that it is a 409.
    @inline(never)
    func respondOnce(
        to request: RequestHead, body: Body, key: IdempotencyKey, function name: String, id: InvocationID, on lane: Lane
    ) async throws(Problem) -> Reply {
        let function = try admit(name, id)
        guard case .bytes(let bytes) = body else {
            // The gateway collects what it gives here.
            throw Problem(status: 500, code: "body-streams", title: "A request with a key came as a stream")
        }
        let keyed = KeyedRequest(key, of: name, fingerprint: Fingerprint.of(request, bytes))
        return try await once(keyed, of: function, id: id, on: lane) { () async throws(Problem) in
            try await self.respond(to: request, body: body, of: function, id: id, on: lane, owing: .keep(keyed))
        }
    }

    /// Gives what answers the request already, or the reply of `body`, which stores one.
    func once(
        _ keyed: KeyedRequest, of function: HostedFunction, id: InvocationID, on lane: Lane,
        _ body: () async throws(Problem) -> Reply
    ) async throws(Problem) -> Reply {
        let limits = function.manifest.limits
        switch await keys.turn(of: keyed, longest: limits.wait, most: limits.waiting, on: lane) {
        case .answered(let response): return try Reply(repeating: response, to: keyed)
        case .differs: throw .idempotencyKeyReused
        case .late: throw .idempotencyKeyRunning
        case .cancelled: throw Failure(CallFailure(.cancelled, "the caller went away"), limits: .zero).problem(for: id)
        case .first: break
        }
        defer { keys.release(keyed) }
        if let response = try await stored(keyed) {
            keyed.answered(response)
            return try Reply(repeating: response, to: keyed)
        }
        return try await body()
    }

    private func stored(_ keyed: KeyedRequest) async throws(Problem) -> IdempotentResponse? {
        do {
            return try await store.idempotentResponse(
                function: keyed.name.function, key: keyed.name.key, now: .now())
        } catch {
            throw Failure(unsaved: error).problem
        }
    }
}

extension Answer {
    /// The answer with its body in one piece.
    ///
    /// - Throws: when the body is longer than what can be kept, or breaks off.
    func collected(upTo limit: Int, limits time: Duration) async throws(FailedRun) -> Answer {
        guard case .response(let head, let body) = self else { return self }
        switch body {
        case .bytes(let bytes):
            guard bytes.readableBytes <= limit else { throw FailedRun(.responseTooLong(limit)) }
            return self
        case .stream(let stream):
            var collected = ByteBuffer()
            do {
                while var chunk = try await stream.next() {
                    guard collected.readableBytes + chunk.readableBytes <= limit else {
                        throw FailedRun(.responseTooLong(limit))
                    }
                    collected.writeBuffer(&chunk)
                }
            } catch {
                stream.cancel()
                throw FailedRun(endingStream: error, limits: time)
            }
            return .response(head, .bytes(collected))
        }
    }
}

extension FailedRun {
    /// Why the body of a response did not come to its end.
    fileprivate convenience init(endingStream error: any Error, limits time: Duration) {
        switch error {
        case let error as FailedRun: self.init(error.failure)
        case let error as CallFailure: self.init(Failure(error, limits: time))
        case is CancellationError: self.init(Failure(CallFailure(.cancelled, "the caller went away"), limits: time))
        default: self.init(Failure(CallFailure(.contractBroken, "the response broke off: \(error)"), limits: time))
        }
    }
}

extension Problem {
    /// What whoever has asked for the invocation `id` is told when the body of its response does not come to its end.
    package init(endingStream error: any Error, of id: InvocationID, limits time: Duration) {
        self = FailedRun(endingStream: error, limits: time).failure.problem(for: id)
    }
}

extension Failure {
    fileprivate static func responseTooLong(_ limit: Int) -> Failure {
        Failure(
            outcome: .failed,
            reason: "its response has more than \(limit) bytes, which is what can be kept for repeats",
            permanent: true, verdict: .neither,
            problem: Problem(
                status: 502, code: "response-too-long", title: "The function's response is too long to be kept",
                detail:
                    "A response to a request with an Idempotency-Key has at most \(limit) bytes; nothing was applied."))
    }

    /// Another host has answered a request with this key in the meantime.
    static let repeated = Failure(
        outcome: .conflicted, reason: "a request with the same idempotency key was answered elsewhere",
        problem: .idempotencyKeyRunning)
}

extension Reply {
    /// What the first request was answered.
    ///
    /// - Throws: when that was another request than `keyed`.
    fileprivate init(repeating response: IdempotentResponse, to keyed: KeyedRequest) throws(Problem) {
        guard response.fingerprint == keyed.fingerprint else { throw .idempotencyKeyReused }
        if let target = response.redirect {
            self.init(redirect: target)
        } else {
            let headers = response.headers + [HeaderField("Idempotency-Replayed", "true")]
            self.init(
                head: ResponseHead(status: response.status, headers: headers),
                body: .bytes(ByteBuffer(bytes: response.body)))
        }
        invocation = response.invocation
    }
}

extension Problem {
    fileprivate static let idempotencyKeyReused = Problem(
        status: 422, code: "idempotency-key-reused", title: "The Idempotency-Key was used with another request",
        detail: """
            Its first request had another method, path, query, Content-Type or body. Send a fresh key with each request \
            that is no repeat.
            """)

    fileprivate static let idempotencyKeyRunning = Problem(
        status: 409, code: "idempotency-key-running",
        title: "The first request with this Idempotency-Key still runs",
        detail: "Send the same request again to get its response.", retryAfter: 1)
}
