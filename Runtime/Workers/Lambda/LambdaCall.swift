import Events
import NIOCore

/// One call of a Lambda worker. Confined to the worker's loop.
final class LambdaCall: CallRun, @unchecked Sendable {
    // `@unchecked`: made by the caller, then touched on the worker's loop alone.

    let call: Call
    private let endpoint: RuntimeEndpoint
    let deadline: NIODeadline
    /// Who waits for the answer; `nil` once it is given.
    private var told: CallEnd?
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

    init(_ call: Call, of endpoint: RuntimeEndpoint) {
        self.call = call
        self.endpoint = endpoint
        deadline = .now() + .nanoseconds(call.time.nanoseconds)
    }

    private var lane: Lane { endpoint.process.lane }

    func begin(_ end: @escaping CallEnd) {
        lane.run { [self] in
            told = end
            endpoint.begin(self)
        }
    }

    func cancel() { lane.loop.execute { [self] in endpoint.cancel(self) } }

    var id: InvocationID { call.invocation.id }

    var isRequest: Bool {
        if case .request = call.invocation.cause { true } else { false }
    }

    /// Tells the caller, unless it has heard already.
    func resume(_ outcome: Result<Answer, CallFailure>?) {
        guard let told else { return }
        self.told = nil
        // Soon: the endpoint is in the middle of something.
        lane.loop.execute { told(outcome) }
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
