/// What every function is: a type that Apus can create once per worker process and then call many times.
///
/// Adopt one or more of `HTTPFunction`, `TimerFunction`, `FileFunction`, `MessageFunction` and `StateFunction` and mark
/// the type `@main`; they provide `main()`. The one instance serves all calls of its worker, so keep nothing in it that must last: a worker may be
/// stopped between any two calls. What must last belongs into `Context.state`.
public protocol Function: Sendable {
    /// Runs once, before the worker tells the host that it is ready. What it throws ends the worker, with the reason
    /// in the log.
    init() throws
}

/// A function that answers HTTP requests.
public protocol HTTPFunction: Function {
    /// Answers one request.
    ///
    /// Whatever the call wrote to its state is committed after this returns and before the client sees the response.
    /// When it throws, nothing of the call is applied: a thrown `HTTPError` is the answer, every other error a 500.
    func respond(to request: HTTPRequest, in context: Context) async throws -> HTTPResponse
}

/// A function that timers call.
public protocol TimerFunction: Function {
    /// Handles one due time. Throwing lets the host try again as the manifest's `retry` says, unless the error is a
    /// `PermanentError`.
    func run(_ timer: TimerEvent, in context: Context) async throws
}

/// A function that changes of files call.
public protocol FileFunction: Function {
    /// Handles one change. Throwing lets the host try again as the manifest's `retry` says, unless the error is a
    /// `PermanentError`.
    func handle(_ file: FileEvent, in context: Context) async throws
}

/// A function that messages call: those to its topics, and those to its own name.
public protocol MessageFunction: Function {
    /// Handles one message. Throwing lets the host try again as the manifest's `retry` says, unless the error is a
    /// `PermanentError`.
    func receive(_ message: MessageEvent, in context: Context) async throws
}

/// A function that committed changes of state call.
public protocol StateFunction: Function {
    /// Handles one change of one key. The changes of a key come one after the other, in the order of their commits; those
    /// of different keys come in any order, also at the same time. Throwing lets the host try again as the manifest's
    /// `retry` says, with the later changes of the key behind it, unless the error is a `PermanentError`.
    ///
    /// What it writes to keys that it follows calls it again. Sixteen calls that cause each other are the end of that.
    func follow(_ change: StateEvent, in context: Context) async throws
}

extension Function {
    /// Serves the host's calls until it says goodbye; the entry point of a worker process.
    ///
    /// All calls run on the main thread, interleaved where they `await`. So a handler that blocks (a long computation,
    /// a synchronous read from a slow network) holds up its worker's other calls: raise `workers.max` for parallel work
    /// rather than `workers.concurrency`. Don't isolate handlers to the main actor: its queue is not served here.
    public static func main() {
        WorkerProcess.run { try Self() }
    }
}
