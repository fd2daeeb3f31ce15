import Events
import Manifests
import Workers

/// An invocation on its way to its outcome, and what it takes along.
final class Run: Sendable {
    let invocation: Invocation
    let body: Body
    let function: HostedFunction
    let lane: Lane
    let obligation: InvocationEngine.Obligation?
    let start: SteadyTime
    /// Of the function's circuit breaker.
    let pass: CircuitBreaker.Pass

    init(
        invocation: Invocation, body: Body, function: HostedFunction, lane: Lane,
        obligation: InvocationEngine.Obligation?, start: SteadyTime, pass: CircuitBreaker.Pass
    ) {
        self.invocation = invocation
        self.body = body
        self.function = function
        self.lane = lane
        self.obligation = obligation
        self.start = start
        self.pass = pass
    }

    /// How long its handler may take.
    var time: Duration { function.manifest.limits.time }

    func call(_ state: InvocationState) -> Call { Call(invocation: invocation, body: body, time: time, state: state) }
}
