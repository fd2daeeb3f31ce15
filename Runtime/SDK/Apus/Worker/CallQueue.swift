import Synchronization

/// The calls that wait for a task, and the tasks that wait for a call.
///
/// A task runs one call after the other, until it is cancelled with one of them: to make a task costs more than most
/// handlers do. A handler that waits for something holds its task, and the next call gets another.
final class CallQueue: Sendable {
    /// Tasks that are kept while they have nothing to do.
    private static let mostIdle = 16

    private struct Runner {
        /// `nil` once it has ended: its place may be used again.
        var task: Task<Void, Never>?
        /// What it runs.
        var call: UInt32?
        /// What it waits with. Whoever takes it from here must resume it: nobody else can.
        var continuation: UnsafeContinuation<Bool, Never>?
    }

    private struct Contents {
        /// Those before `first` have a task.
        var calls: [LiveCall] = []
        var first = 0
        var runners: [Runner] = []
        var idle: [Int] = []
        var isClosed = false
        /// Calls that run, and how many may.
        var running = 0
        var concurrency = Int.max

        var hasNext: Bool { first < calls.count && running < concurrency }

        mutating func next() -> LiveCall {
            let call = calls[first]
            first += 1
            if first == calls.count {
                calls.removeAll(keepingCapacity: true)
                first = 0
            }
            return call
        }

        /// The runner's call has ended. Returns whether it had one.
        mutating func endCall(of runner: Int) -> Bool {
            guard runners[runner].call != nil else { return false }
            runners[runner].call = nil
            running -= 1
            return true
        }
    }

    private let contents = Mutex(Contents())

    // MARK: For the loop

    func add(_ call: LiveCall) { contents.withLock { $0.calls.append(call) } }

    /// From here on, no more than so many calls run at once.
    func bound(_ concurrency: Int) { contents.withLock { $0.concurrency = concurrency } }

    /// Whether a call may begin.
    var hasNext: Bool { contents.withLock { $0.hasNext } }

    /// Wakes a task that waits, or makes one, if a call may begin.
    func start(_ makeTask: (Int) -> Task<Void, Never>) {
        contents.withLock { contents in
            guard contents.hasNext else { return }
            if let runner = contents.idle.popLast() {
                contents.runners[runner].continuation.take()?.resume(returning: true)
            } else if let runner = contents.runners.firstIndex(where: { $0.task == nil }) {
                contents.runners[runner].task = makeTask(runner)
            } else {
                contents.runners.append(Runner(task: makeTask(contents.runners.count)))
            }
        }
    }

    /// Cancels the task that runs the call, if one does yet.
    func cancel(_ call: UInt32) { contents.withLock { $0.runners.first { $0.call == call }?.task?.cancel() } }

    /// Ends the tasks that wait.
    func close() {
        contents.withLock { contents in
            contents.isClosed = true
            for runner in contents.idle { contents.runners[runner].continuation.take()?.resume(returning: false) }
            contents.idle = []
        }
    }

    // MARK: For the tasks

    /// A number that no other task has that lives; that of one is the same at each use.
    static var currentTask: Int {
        // Its address, as which it is passed, and 0 for none. What the standard library has for this, a hash of that, takes
        // 400 instructions.
        withUnsafeCurrentTask { unsafeBitCast($0, to: Int.self) }
    }

    /// The next call for `runner`, whose last one is over; `nil` where none may begin, or it is cancelled.
    func take(for runner: Int) -> LiveCall? {
        contents.withLock { contents in
            // Where calls run one after the other, an answer goes out before the next, which may take long.
            if contents.endCall(of: runner), contents.concurrency == 1 { return nil }
            while contents.hasNext, !Task.isCancelled {
                let call = contents.next()
                guard call.begins() else { continue }
                contents.running += 1
                contents.runners[runner].call = call.id
                if call.isCancelled { contents.runners[runner].task?.cancel() }
                return call
            }
            return nil
        }
    }

    /// Waits until there is a call. `false`: `runner` has to end.
    nonisolated(nonsending) func waits(_ runner: Int) async -> Bool {
        await withUnsafeContinuation { continuation in
            contents.withLock { contents in
                guard !contents.isClosed, !Task.isCancelled, contents.idle.count < Self.mostIdle else {
                    contents.runners[runner].task = nil
                    return continuation.resume(returning: false)
                }
                contents.runners[runner].continuation = continuation
                contents.idle.append(runner)
            }
        }
    }
}
