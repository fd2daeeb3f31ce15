import Events
import NIOCore

/// One call of a Lambda worker. Confined to the worker's loop.
final class LambdaCall: @unchecked Sendable {
    // `@unchecked`: made by the caller, then touched on the worker's loop alone.
    typealias Continuation = CheckedContinuation<Result<Answer, CallFailure>?, Never>

    let call: Call
    let deadline: NIODeadline
    /// Who waits for the answer; `nil` once it is given.
    var continuation: Continuation?
    /// The caller has gone before the call began.
    var isCancelled = false
    /// The caller has had its answer, or has gone: what the runtime still says is of no interest.
    var isAbandoned = false
    /// The event, once it is complete.
    var event = ByteBuffer()
    /// Gathers the request's body.
    var gathering: Task<Void, Never>?
    /// Ends the call at its deadline, or soon after its caller has gone.
    var alarm: Scheduled<Void>?
    /// The body of a streamed response.
    var stream: BodyStream?

    init(_ call: Call, until deadline: NIODeadline) {
        self.call = call
        self.deadline = deadline
    }

    var id: InvocationID { call.invocation.id }

    var isRequest: Bool {
        if case .request = call.invocation.cause { true } else { false }
    }

    /// Tells the caller, unless it has heard already.
    func resume(_ outcome: Result<Answer, CallFailure>?) {
        continuation?.resume(returning: outcome)
        continuation = nil
    }

    /// Ends the call for the caller, who may be reading the response's body already.
    func fail(_ failure: CallFailure) {
        isAbandoned = true
        resume(.failure(failure))
        stream?.fail(failure)
    }

    /// It is over: nothing may hold it any more.
    func end() {
        alarm?.cancel()
        gathering?.cancel()
        if case .stream(let body) = call.body { body.cancel() }
    }
}
