import Events
import NIOCore
import Storage
import Workers

extension Answer {
    /// Bytes of an answer that are kept; past them the result says that it was cut.
    static let mostKept = 6 << 20

    /// What is kept of the answer to an invocation from the queue, where nobody waits for it.
    ///
    /// A response says whether the invocation is over, as its client would read it: 5xx, and the statuses by which a
    /// server asks to come again later (408, 425 and 429), are failures that are tried again, after `Retry-After` where
    /// the response has it. Every other response is the answer, also one of 4xx, which another try would not change.
    ///
    /// - Throws: also when the body breaks off.
    func resultOfQueued() async throws(FailedRun) -> InvocationResult? {
        switch self {
        case .acknowledged: return nil
        case .result(let bytes): return InvocationResult(body: Array(bytes.readableBytesView))
        case .redirect(let target):
            return InvocationResult(status: 302, headers: [HeaderField("Location", target)], body: [])
        case .response(let head, let body):
            if let failure = Failure(queued: head, now: .now()) {
                if case .stream(let stream) = body { stream.cancel() }
                throw FailedRun(failure)
            }
            let (bytes, isCut) = try await body.kept()
            return InvocationResult(status: head.status, headers: head.headers, body: bytes, isCut: isCut)
        }
    }
}

extension Body {
    /// Reads all of it, so that its handler can finish, and keeps the beginning.
    fileprivate func kept() async throws(FailedRun) -> (bytes: [UInt8], isCut: Bool) {
        switch self {
        case .bytes(let buffer):
            return (Array(buffer.readableBytesView.prefix(Answer.mostKept)), buffer.readableBytes > Answer.mostKept)
        case .stream(let stream):
            var bytes: [UInt8] = []
            var isCut = false
            do {
                while let chunk = try await stream.next() {
                    let room = Answer.mostKept - bytes.count
                    bytes += chunk.readableBytesView.prefix(room)
                    isCut = isCut || chunk.readableBytes > room
                }
            } catch {
                stream.cancel()
                throw FailedRun(Failure(brokenOff: error))
            }
            return (bytes, isCut)
        }
    }
}

extension Failure {
    /// What a response to a queued request says that is to be tried again; `nil` for an answer that stands.
    init?(queued head: ResponseHead, now: WallTime) {
        guard head.status >= 500 || [408, 425, 429].contains(head.status) else { return nil }
        outcome = .failed
        reason = "the function answered with status \(head.status)"
        verdict = head.status >= 500 ? .fails : .neither
        wantedRest = head.headers.first("Retry-After").flatMap { RetryAfter($0, now: now)?.delay } ?? .zero
        problem = Problem(status: 502, code: "handler-failed", title: "The function failed")
    }

    fileprivate init(brokenOff error: any Error) {
        if error is CancellationError {
            self.init(CallFailure(.cancelled, "the caller went away"), limits: .zero)
        } else if let failure = error as? CallFailure {
            self.init(failure, limits: .zero)
        } else {
            self.init(CallFailure(.handlerFailed, "its response broke off: \(error)"), limits: .zero)
        }
    }
}
