import Events
import Synchronization

/// A call that found no worker free: it stands in its pool's line, and goes to the worker that it is given.
final class WaitingCall: CallRun {
    private struct Contents {
        /// Who waits for the answer; `nil` once it is told.
        var end: CallEnd?
        /// Once it has a worker, unless that had gone.
        var run: (any CallRun)?
        var isCancelled = false
        /// When it has come to stand in line, the last time.
        var placed: PoolState.Instant
        /// How long it has stood there before.
        var waited = Duration.zero
    }

    private static let last = Atomic<PoolState.WaiterID>(0)

    let id = WaitingCall.last.wrappingAdd(1, ordering: .relaxed).newValue
    /// Whose calls it came with.
    let lane: Int
    /// When it came.
    let since: PoolState.Instant
    /// A worker may be given it ahead of its turn.
    let mayGoAhead: Bool
    private let call: Call
    private let pool: Pool
    private let contents: Mutex<Contents>

    init(_ call: Call, in pool: Pool, lane: Int) {
        self.call = call
        self.pool = pool
        self.lane = lane
        since = .now
        mayGoAhead = call.isWhole
        contents = Mutex(Contents(placed: since))
    }

    var isCancelled: Bool { contents.withLock { $0.isCancelled } }

    func begin(_ end: @escaping CallEnd) {
        contents.withLock { $0.end = end }
        pool.stand(self)
    }

    func cancel() {
        let run = contents.withLock { contents in
            contents.isCancelled = true
            return contents.run
        }
        if let run { run.cancel() } else { pool.abandon(self) }
    }

    /// Its turn has come, at that time.
    func begin(on worker: any Worker, given time: PoolState.Instant) {
        let run = worker.run(call)
        let isCancelled = contents.withLock { contents in
            contents.run = run
            contents.waited += time - contents.placed
            return contents.isCancelled
        }
        // The worker counts it, and has to hear of it nevertheless.
        if isCancelled { run.cancel() }
        run.begin { [self] answer in
            if let answer { tell(answer) } else { standAgain() }
        }
    }

    private func standAgain() {
        let waited = contents.withLock { contents in
            contents.run = nil
            contents.placed = .now
            return contents.waited
        }
        pool.standAgain(self, after: waited)
    }

    private func tell(_ answer: Result<Answer, CallFailure>) { contents.withLock { $0.end.take() }?(answer) }

    /// Nobody will give it a worker.
    func fail(_ failure: CallFailure) { tell(.failure(failure)) }

    /// Nobody waits for it.
    func failCancelled() { fail(call.body.cancellation) }
}
