package import Events
package import NIOCore
package import Wire

/// One run of an invocation by a worker.
///
/// A class for the same reason as `Invocation`.
package final class Call: Sendable {
    package let invocation: Invocation
    /// Of an HTTP request; empty for events, whose data is in the event.
    package let body: Body
    /// How long it may run, from the moment in which a worker has it.
    package let time: Duration
    package let state: any CallState

    package init(invocation: Invocation, body: Body, time: Duration, state: any CallState) {
        self.invocation = invocation
        self.body = body
        self.time = time
        self.state = state
    }

    /// Whether its body is there, and goes to a worker at once.
    var isWhole: Bool {
        switch (invocation.cause, body) {
        case (.event(_, let event), _): event.data.count <= Upload.largestChunk
        case (.request, .bytes(let bytes)): bytes.readableBytes <= Upload.largestChunk
        case (.request, .stream): false
        }
    }
}

/// State, on behalf of a call's handler. Operations of one call come one after the other, in the handler's order.
package protocol CallState: AnyObject, Sendable {
    /// Values in memory that a worker may look up itself, telling with `found` what it has found there; `nil` where there are
    /// none.
    var values: ValueRing? { get }

    func operate(_ scope: StateScope, _ operation: StateOperation) -> Result<StateResult, StateError>

    /// Commits what a scope other than the invocation's own has gathered.
    func commit(_ scope: StateScope) async -> Result<StateResult, StateError>
}

/// What a handler made of a call that it did not fail.
package enum Answer: Sendable {
    /// To an HTTP request. The call goes on until the body has ended; effects are complete before.
    case response(ResponseHead, Body)
    /// To an HTTP request: the host answers in its stead as if this path and query had been asked for, with `GET`
    /// (RFC 3875 §6.2.2).
    case redirect(String)
    /// To an event.
    case acknowledged
    /// To an event whose caller waits for what the handler returned: JSON.
    case result(ByteBuffer)
}

/// The bytes of a request or a response.
package enum Body: Sendable {
    case bytes(ByteBuffer)
    case stream(BodyStream)

    package static var empty: Body { .bytes(ByteBuffer()) }
}

extension Body {
    /// Why a call with this body is cancelled: what has become of the body, or else that its caller has gone.
    var cancellation: CallFailure { cancellation(after: CancellationError()) }

    /// The same when it could not be read or passed on to its end because of `error`.
    func cancellation(after error: any Error) -> CallFailure {
        if case .stream(let stream) = self { return stream.cancellation(after: error) }
        return .brokenBody(error)
    }
}

extension BodyStream {
    /// As of a body.
    func cancellation(after error: any Error) -> CallFailure {
        // Who reads it may have been cancelled because it has failed.
        .brokenBody(error is CancellationError ? failure ?? error : error)
    }
}

extension CallFailure {
    /// A caller that goes away fails its body with `CancellationError`.
    fileprivate static func brokenBody(_ error: any Error) -> CallFailure {
        if error is CancellationError { return .cancelledByCaller }
        return CallFailure(.cancelled, "the request's body broke off: \(error)")
    }
}

/// Why a call has no answer.
///
/// A class, since each asynchronous caller keeps room for what may be thrown to it: for a word instead of all of it.
package final class CallFailure: Error, Sendable, CustomStringConvertible {
    package enum Code: String, Sendable {
        /// The handler threw; `permanent` says that another try is useless.
        case handlerFailed
        /// It ran past its time limit; its worker is being stopped.
        case timedOut
        /// The worker process ended in the middle of the call.
        case workerDied
        /// The worker sent what the contract does not allow; it is being stopped.
        case contractBroken
        /// No worker could be started; the function backs off.
        case startFailed
        /// `limits.waiting` calls wait already.
        case queueFull
        /// No worker was free within `limits.wait`.
        case waitedTooLong
        /// The caller's task was cancelled.
        case cancelled
        /// The host is stopping, or the function is gone.
        case stopping
    }

    package let code: Code
    /// For the log and for operators; never shown to HTTP clients when it comes from the handler.
    package let message: String
    package let permanent: Bool
    /// When another try makes sense.
    package let retryAfter: Duration?
    /// What the function itself said, where its contract has words for it.
    package let functionError: FunctionError?

    package init(
        _ code: Code, _ message: String, permanent: Bool = false, retryAfter: Duration? = nil,
        functionError: FunctionError? = nil
    ) {
        self.code = code
        self.message = message
        self.permanent = permanent
        self.retryAfter = retryAfter
        self.functionError = functionError
    }

    package var description: String { message }
}

extension CallFailure: Equatable {
    package static func == (left: CallFailure, right: CallFailure) -> Bool {
        left.code == right.code && left.message == right.message && left.permanent == right.permanent
            && left.retryAfter == right.retryAfter && left.functionError == right.functionError
    }
}
