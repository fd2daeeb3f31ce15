/// One event for one function, until it has an outcome.
///
/// A class, because it passes through many hands on its way to a worker and back, and none of them changes it.
package final class Invocation: Sendable {
    package let id: InvocationID
    /// The function's name.
    package let function: String
    package let cause: Cause
    /// 1 for the first try; counts only retries of asynchronous events, not re-runs after a conflict.
    package let attempt: Int

    /// What called the function.
    package enum Cause: Sendable {
        /// The body travels beside the invocation, since it may be a stream.
        case request(RequestHead)
        case event(TriggerKind, Event)
    }

    package init(id: InvocationID = InvocationID(), function: String, cause: Cause, attempt: Int = 1) {
        self.id = id
        self.function = function
        self.cause = cause
        self.attempt = attempt
    }

    package var trigger: TriggerKind {
        switch cause {
        case .request: .http
        case .event(let kind, _): kind
        }
    }

    /// How many events led to it, each caused by the handler of the one before.
    package var depth: Int {
        switch cause {
        case .request: 0
        case .event(_, let event): event.extensions[Event.depthAttribute].flatMap { Int($0) } ?? 0
        }
    }
}

/// How an invocation ended.
package enum Outcome: String, Sendable, Hashable, CaseIterable, Codable {
    /// The handler answered and its effects are committed.
    case succeeded
    /// The handler reported an error, or its worker died.
    case failed
    /// The handler was still running at `limits.time`.
    case timedOut
    /// It never reached a worker: too many were waiting, or none could be started.
    case rejected
    /// Others changed what it had read, on every one of its runs.
    case conflicted
    /// The client went away, or the host was told to stop it.
    case cancelled
    /// An asynchronous event used up its attempts or its time.
    case exhausted
}
