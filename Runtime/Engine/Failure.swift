import Events
import Storage
import Workers

/// Why an invocation did not succeed: its outcome, what the log says, and whether another try makes sense.
struct Failure: Error, Sendable {
    var outcome: Outcome
    /// For the log and for operators.
    var reason: String
    /// Another try is useless, says the handler.
    var permanent = false
    /// How long the handler wants to be left alone before the next try.
    var wantedRest = Duration.zero
    /// It never reached the handler, so that the try does not count.
    var unstarted = false
    /// Its pool takes no more calls: the host stops, or the function has a successor.
    var stopping = false
    /// What it says about the function, to its circuit breaker.
    var verdict = CircuitBreaker.Verdict.neither
    var problem: Problem
}

// Titles are the same for every problem with the code; details must not tell a client what a handler or the host knows.
/// A failure on its way up. A class, since each asynchronous caller keeps room for what may be thrown to it, in every
/// call: for a word instead of all of it.
final class FailedRun: Error {
    let failure: Failure

    init(_ failure: Failure) { self.failure = failure }

    /// Its circuit breaker is open.
    @inline(never)
    convenience init(restingFor rest: Duration) { self.init(Failure(restingFor: rest)) }
}

extension Failure {
    init(_ failure: CallFailure, limits time: Duration) {
        reason = failure.message
        permanent = failure.permanent
        let retryAfter = failure.retryAfter.map { max(1, Int($0.components.seconds)) } ?? 1
        switch failure.code {
        case .handlerFailed:
            outcome = .failed
            // What the handler calls permanent is the fault of what it was given.
            verdict = failure.permanent ? .neither : .fails
            wantedRest = failure.retryAfter ?? .zero
            if let error = failure.functionError {
                problem = Problem(
                    status: 502, code: "function-error", title: "The function ended with an error",
                    detail:
                        "Its type is \(error.type); nothing of the function's effects was applied. The log has more.")
                problem.functionError = error.payload
                return
            }
            problem = Problem(
                status: 500, code: "handler-failed", title: "The function failed",
                detail: "Its handler ended with an error; nothing of its effects was applied. The log has the reason.")
        case .timedOut:
            outcome = .timedOut
            verdict = .fails
            problem = Problem(
                status: 504, code: "timed-out", title: "The function took too long",
                detail: "It ran past its limit of \(time.description); nothing of its effects was applied.")
        case .workerDied:
            outcome = .failed
            verdict = .fails
            problem = Problem(
                status: 502, code: "worker-died", title: "The function's worker died",
                detail: "Its process ended during the call; nothing of its effects was applied.")
        case .contractBroken:
            outcome = .failed
            verdict = .fails
            problem = Problem(
                status: 502, code: "contract-broken", title: "The function's worker answered nonsense",
                detail: "What it sent does not follow its contract; nothing of its effects was applied.")
        case .startFailed:
            outcome = .rejected
            verdict = .fails
            unstarted = true
            problem = Problem(
                status: 503, code: "start-failed", title: "The function cannot be started",
                detail: "Its workers end while they start; the log has the reason.", retryAfter: retryAfter)
            problem.functionError = failure.functionError?.payload
        case .queueFull:
            outcome = .rejected
            unstarted = true
            problem = Problem(
                status: 503, code: "too-many-waiting", title: "The function is overloaded",
                detail: "As many calls wait for a worker as its limits.waiting allows.", retryAfter: retryAfter)
        case .waitedTooLong:
            outcome = .rejected
            unstarted = true
            problem = Problem(
                status: 503, code: "waited-too-long", title: "The function is overloaded",
                detail: "No worker was free within its limits.wait.", retryAfter: retryAfter)
        case .cancelled:
            outcome = .cancelled
            // The status that nginx made customary for a client that closed the connection; it reaches nobody.
            problem = Problem(status: 499, code: "cancelled", title: "The call was cancelled")
        case .stopping:
            outcome = .rejected
            unstarted = true
            stopping = true
            problem = Problem(
                status: 503, code: "stopping", title: "The host is stopping", retryAfter: retryAfter)
        }
    }

    /// Its circuit breaker is open.
    init(restingFor rest: Duration) {
        outcome = .rejected
        reason = "its circuit breaker is open: nearly all of its latest calls have failed"
        unstarted = true
        problem = Problem(
            status: 503, code: "circuit-open", title: "The function rests",
            detail: "Nearly all of its latest calls have failed; it is tried again soon.",
            retryAfter: max(1, Int((rest.milliseconds + 999) / 1000)))
    }

    static let conflicted = Failure(
        outcome: .conflicted, reason: "others changed what it had read, on every run",
        problem: Problem(
            status: 409, code: "conflicted", title: "Others changed the same state",
            detail:
                "What the function had read was changed by others on each of its runs; nothing was applied. Try again.",
            retryAfter: 1))

    static let leaseLost = Failure(
        outcome: .cancelled, reason: "another has the invocation now",
        problem: Problem(status: 503, code: "lease-lost", title: "The invocation was given to another"))

    /// What the client of the invocation `id` is told.
    func problem(for id: InvocationID) -> Problem {
        var problem = problem
        problem.invocation = id
        return problem
    }

    init(unsaved error: any Error) {
        if let error = error as? StateError {
            self.init(
                outcome: .failed, reason: error.message, permanent: true,
                problem: Problem(
                    status: 500, code: "effects-refused", title: "The function's effects were refused",
                    detail: "They cannot be applied to the state as it is; the log has the reason."))
        } else if let error = error as? QueueFull {
            self.init(
                outcome: .rejected, reason: error.description,
                problem: Problem(
                    status: 503, code: "queue-full", title: "A queue is full",
                    detail: "What the function sends finds no room in its receiver's queue; nothing was applied.",
                    retryAfter: 5))
        } else {
            self.init(
                outcome: .failed, reason: "the effects cannot be stored: \(error)", problem: Problem(unsaved: error))
        }
    }
}
