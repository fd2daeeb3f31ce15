import Events
package import Manifests
import NIOCore
import Synchronization

/// The workers of one function.
///
/// A thin shell around `PoolState`: every change passes through `change`, which locks, mutates, unlocks, and then acts.
package final class Pool: Sendable {
    package let manifest: Manifest

    /// The worker that a call in line is given.
    struct Lease: Sendable {
        let call: WaitingCall
        let worker: any Worker
        /// Where the worker lives.
        let lane: Int
        /// When it was given.
        let time: PoolState.Instant
    }

    struct Contents: Sendable {
        var state: PoolState
        var workers: [PoolState.WorkerID: any Worker] = [:]
        var waiters: [PoolState.WaiterID: WaitingCall] = [:]
        var timer: Scheduled<Void>?
        var onRoom: Listener?
        /// Who waits for the end of draining.
        var spectators: [UInt64: CheckedContinuation<Void, Never>] = [:]
        var lastSpectator: UInt64 = 0
        /// Who waits for the first worker that starts without a call.
        var warming: CheckedContinuation<String?, Never>?

        /// A class: a function that is handed through a lock's generics is wrapped anew each time.
        final class Listener: Sendable {
            let notify: @Sendable () -> Void

            init(_ notify: @escaping @Sendable () -> Void) { self.notify = notify }
        }

        var isDrained: Bool { state.isDraining && state.workers.isEmpty }

        mutating func lease(
            _ id: PoolState.WorkerID, to waiter: PoolState.WaiterID, _ now: PoolState.Instant
        ) -> Lease? {
            guard let call = waiters.removeValue(forKey: waiter), let worker = workers[id],
                let lane = state.workers[id]?.lane
            else { return nil }
            return Lease(call: call, worker: worker, lane: lane, time: now)
        }

        mutating func takeWarming() -> CheckedContinuation<String?, Never>? {
            defer { warming = nil }
            return warming
        }
    }

    let lanes: [Lane]
    let budget: WorkerBudget
    let directory: AccessDirectory?
    let output: WorkerOutput
    let contents: Mutex<Contents>
    /// Only where each call gets a new worker.
    let templates: Templates?
    /// Only where it grants any.
    private let grants: GrantedPaths?
    /// Its name to the budget.
    var identity: ObjectIdentifier { ObjectIdentifier(self) }

    /// - Parameters:
    ///   - lanes: where its workers may live; at least one.
    ///   - budget: the machine-wide bound on workers, shared by all pools.
    ///   - directory: lets its workers use the worker API; `nil` where there is none.
    ///   - copies: workers that are fresh for each call may be copies of a loaded one.
    ///   - processors: that workers run on.
    ///   - output: gets every line that a worker logs or prints.
    package init(
        manifest: Manifest, lanes: [Lane], budget: WorkerBudget, directory: AccessDirectory? = nil,
        copies: Bool = true, processors: Int = System.coreCount, output: @escaping WorkerOutput
    ) {
        precondition(!lanes.isEmpty, "a pool needs a lane to live on")
        self.manifest = manifest
        self.lanes = lanes
        self.budget = budget
        self.directory = directory
        self.output = output
        let state = PoolState(
            policy: manifest.handler.contract.adjusted(manifest.workers), limits: manifest.limits,
            laneCount: lanes.count, processors: processors)
        contents = Mutex(Contents(state: state))
        let isCopied = copies && manifest.handler.contract == .apus && manifest.workers.instance == .fresh
        templates = isCopied ? Templates(manifest, lane: lanes[0], output: output) : nil
        grants = GrantedPaths(manifest, on: .machine)
        let member = WorkerBudget.Member(
            grant: { [weak self] in self?.change { $0.state.slotGranted($1) } },
            idleSince: { [weak self] in self?.contents.withLock { $0.state.surrenderable(.now)?.since } },
            surrender: { [weak self] in self?.change { $0.state.surrender($1) } },
            scarce: { [weak self] in self?.change { $0.state.slotsAreScarce($1) } })
        budget.join(identity, member)
    }

    deinit { budget.leave(identity) }

    /// Runs the call as `run` does and returns its answer. Cancelling the task cancels the call.
    package func perform(_ call: Call, on lane: Lane) async throws(CallFailure) -> Answer {
        while true {
            let run = run(call, on: lane)
            let answer = await withTaskCancellationHandler {
                await withCheckedContinuation { continuation in run.begin { continuation.resume(returning: $0) } }
            } onCancel: {
                run.cancel()
            }
            // `nil`: the worker had ended before it got the call.
            if let answer { return try answer.get() }
        }
    }

    /// A call that gets a worker, one on `lane` where there is a choice: at once when one is free, else when its turn has
    /// come. The worker is free again once the call, its response body included, has ended.
    package func run(_ call: Call, on lane: Lane) -> any CallRun {
        let index = lanes.firstIndex { $0 === lane } ?? 0
        return takeFree(lane: index)?.run(call) ?? WaitingCall(call, in: self, lane: index)
    }

    /// How many more calls could run or start at once, for the queue's dispatcher: callers that wait count against it.
    package var room: Int {
        let slots = budget.available
        return contents.withLock { $0.state.room(.now, slots: slots) }
    }

    /// Called whenever `room` may have grown.
    package func onRoom(_ notify: @escaping @Sendable () -> Void) { contents.withLock { $0.onRoom = .init(notify) } }

    /// Starts the `min` workers and keeps them; runs until the task is cancelled or `drain` has finished.
    package func run() async {
        change { $0.state.keepMinimum($1) }
        await drained(orCancelled: true)
    }

    /// Starts workers before the first call comes, and returns when one is ready, or when waiting is of no use. For one
    /// caller, before the pool is given to others.
    ///
    /// - Parameters:
    ///   - count: at most so many.
    ///   - limit: how long to wait.
    /// - Returns: why none starts; `nil` when one has, or when that takes longer.
    package func warmUp(_ count: Int, within limit: Duration) async -> String? {
        let timeout = lanes[0].loop.scheduleTask(in: .nanoseconds(limit.nanoseconds)) { self.stopWarming() }
        defer { timeout.cancel() }
        return await withCheckedContinuation { continuation in
            change { $0.state.warmUp(count, now: $1) }
            // Not before: until slots are granted, nothing starts, and nothing would be waited for.
            contents.withLock { $0.warming = continuation }
            change { _, _ in [] }
        }
    }

    private func stopWarming() { contents.withLock { $0.takeWarming() }?.resume(returning: nil) }

    /// Takes no more calls, waits for those that run, at most `within`, then stops every worker and waits for its exit.
    package func drain(within: Duration) async {
        change { $0.state.drain($1) }
        let limit = lanes[0].loop.scheduleTask(in: .nanoseconds(within.nanoseconds)) { self.stop() }
        await drained(orCancelled: false)
        limit.cancel()
        await templates?.end()
    }

    /// Takes no more calls and kills every worker at once. `drain` and `run` return when they are gone.
    package func stop() {
        change { $0.state.drain($1) }
        let workers = contents.withLock { Array($0.workers.values) }
        for worker in workers { worker.kill(because: "the host is stopping") }
    }

    /// Whether `renew` may have something to do.
    package var mayNeedRenewal: Bool {
        grants != nil && (contents.withLock { !$0.workers.isEmpty } || templates?.isEmpty == false)
    }

    /// Replaces the workers where a path that the manifest grants leads to another file or folder than at the last look: those
    /// who started before may not reach it. Looks at the disk, which may take long; for one caller at a time.
    ///
    /// - Returns: such paths.
    package func renew() -> [String] {
        let remade = grants?.remade() ?? []
        guard !remade.isEmpty else { return [] }
        templates?.stop()
        change { $0.state.renew($1) }
        return remade
    }

    package var snapshot: PoolSnapshot {
        contents.withLock { $0.state.snapshot(.now, pid: { [workers = $0.workers] in workers[$0]?.pid ?? 0 }) }
    }

    // MARK: Leases

    /// The common way, in which nobody waits.
    private func takeFree(lane: Int) -> (any Worker)? {
        let (worker, isCrowding) = contents.withLock { contents -> ((any Worker)?, Bool) in
            guard !contents.state.isDraining, let id = contents.state.takeFree(lane: lane) else { return (nil, false) }
            return (contents.workers[id], contents.state.needsRelief)
        }
        if isCrowding { change { $0.state.relieve($1) } }
        return worker
    }

    /// The call stands in line, or is turned away.
    func stand(_ call: WaitingCall) {
        let now = call.since
        let isQuiet = contents.withLock { contents in
            // One that is cancelled from here on finds itself in line.
            let isQuiet =
                !call.isCancelled
                && contents.state.waitQuietly(call.id, lane: call.lane, mayGoAhead: call.mayGoAhead, now: now)
            if isQuiet { contents.waiters[call.id] = call }
            return isQuiet
        }
        if isQuiet { return }
        place(call) { state, now in
            state.wait(call.id, lane: call.lane, mayGoAhead: call.mayGoAhead, now: now)
        }
    }

    /// The call's worker has not begun it, and will not: it has its place in line again.
    ///
    /// - Parameter waited: how long it has stood in line already.
    func standAgain(_ call: WaitingCall, after waited: Duration) {
        place(call) { state, now in state.waitAgain(call.id, lane: call.lane, after: waited, now: now) }
    }

    private func place(
        _ call: WaitingCall, _ wait: (inout PoolState, PoolState.Instant) -> [PoolState.Action]
    ) {
        var isCancelled = false
        change { contents, now in
            isCancelled = call.isCancelled
            if isCancelled { return [] }
            contents.waiters[call.id] = call
            return wait(&contents.state, now)
        }
        if isCancelled { call.failCancelled() }
    }

    func abandon(_ call: WaitingCall) {
        var wasWaiting = false
        change { contents, now in
            let actions: [PoolState.Action]
            (wasWaiting, actions) = contents.state.abandon(call.id, now: now)
            // Otherwise it has been given a worker, which will find the call cancelled, or `place` will if that had gone.
            if wasWaiting { contents.waiters[call.id] = nil }
            return actions
        }
        if wasWaiting { call.failCancelled() }
    }

    // MARK: The end

    private func drained(orCancelled: Bool) async {
        let id = contents.withLock { contents in
            contents.lastSpectator += 1
            return contents.lastSpectator
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { spectator in
                let isOver = contents.withLock { contents in
                    let isOver = contents.isDrained || orCancelled && Task.isCancelled
                    if !isOver { contents.spectators[id] = spectator }
                    return isOver
                }
                if isOver { spectator.resume() }
            }
        } onCancel: {
            if orCancelled { contents.withLock { $0.spectators.removeValue(forKey: id) }?.resume() }
        }
    }
}

extension CallFailure {
    static let cancelledByCaller = CallFailure(.cancelled, "the caller has gone")
}

extension Handler.Contract {
    /// A contract with one process an invocation keeps none ready, and runs one call in each: what its program learns of
    /// the invocation is in its environment, so that none can be started before. A worker that shall be fresh for each
    /// runs one call, too, but is started ahead. A Lambda runtime asks for one event at a time.
    func adjusted(_ policy: WorkerPolicy) -> WorkerPolicy {
        var policy = policy
        if isPerCall {
            policy.concurrency = 1
            policy.min = 0
            policy.instance = .reuse
            return policy
        }
        if self == .lambda { policy.concurrency = 1 }
        if policy.instance == .fresh {
            policy.concurrency = 1
            policy.retireInvocations = 1
        }
        return policy
    }
}
