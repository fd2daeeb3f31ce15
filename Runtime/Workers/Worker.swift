import Events

/// What runs a function's calls, in whichever contract.
protocol Worker: AnyObject, Sendable {
    /// 0 while there is no process.
    var pid: Int32 { get }

    /// Starts it; how that goes comes as reports.
    ///
    /// - Parameter calmly: behind all others who want the processors, until `hurry` is called.
    func start(calmly: Bool)

    /// Ends the calm of its start.
    func hurry()

    /// A call for it, which the pool has counted. `released` says when it has ended, its response body included.
    func run(_ call: Call) -> any CallRun

    /// Gives back the calls that it was given ahead of their turn and has not begun: each ends with `nil`.
    func recall()

    /// What its calls take, as it says; `nil` as long as it has not.
    var callTime: Duration? { get }

    /// Ends it in an orderly way, by force if that takes too long. It runs no call.
    func stop(because reason: String)

    /// Ends it by force at once, and every call with it.
    func kill(because reason: String)
}

extension Worker {
    // It is given none.
    func recall() {}
    var callTime: Duration? { nil }
}

/// How a call of a worker ended for its caller: with an answer, or with why there is none; `nil` when the worker has not
/// begun it and will not, so that another may.
package typealias CallEnd = @Sendable (Result<Answer, CallFailure>?) -> Void

/// One call on its way through a worker. Its methods may be called on any thread.
package protocol CallRun: AnyObject, Sendable {
    /// Gives the worker the call. `end` is told once, on any thread, and may make further calls.
    func begin(_ end: @escaping CallEnd)

    /// The caller has gone, perhaps before the call began.
    func cancel()
}

/// What a worker tells its pool.
struct WorkerReports: Sendable {
    /// It takes so many calls ahead of their turn, besides those that it runs.
    let ready: @Sendable (_ ahead: Int) -> Void
    /// A call has ended.
    let released: @Sendable () -> Void
    /// A call that was given ahead of its turn goes back.
    let returned: @Sendable () -> Void
    /// It takes no more calls and will end.
    let closing: @Sendable () -> Void
    /// It is gone, for this reason. The last report.
    let exited: @Sendable (String) -> Void
    /// It has no process for the call that it was given, and is gone with the call. The last report.
    let couldNotStart: @Sendable (String) -> Void
    /// It is gone, since its function cannot be initialised, as that says itself. The last report.
    let couldNotInitialise: @Sendable (String, FunctionError) -> Void
}
