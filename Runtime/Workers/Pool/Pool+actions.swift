import Events
import Manifests
import NIOCore
import NIOPosix
import Synchronization

/// How the shell acts on what its state decides.
extension Pool {
    private typealias Effect = @Sendable () -> Void

    /// The one way in which the state changes. Actions run after the lock is free, in their order.
    func change(_ mutate: (inout Contents, PoolState.Instant) -> [PoolState.Action]) {
        let now = PoolState.Instant.now
        let effects = contents.withLock { contents -> [Effect] in
            let actions = mutate(&contents, now)
            let effects = actions.isEmpty ? [] : actions.compactMap { prepare($0, &contents, now) }
            guard contents.warming != nil, let warmed = warmed(&contents, now) else { return effects }
            return effects + [warmed]
        }
        for effect in effects { effect() }
    }

    /// Tells who waits for the first worker, once there is something to tell.
    private func warmed(_ contents: inout Contents, _ now: PoolState.Instant) -> Effect? {
        let failure: String?
        switch contents.state.warmth(now) {
        case .coming: return nil
        case .there: failure = nil
        case .failed(let reason): failure = reason
        }
        let continuation = contents.takeWarming()
        return { continuation?.resume(returning: failure) }
    }

    /// Looks up what an action needs, under the lock, and gives what is to be done without it.
    private func prepare(_ action: PoolState.Action, _ contents: inout Contents, _ now: PoolState.Instant) -> Effect? {
        switch action {
        case .start(let id, let lane, let calmly):
            let worker = makeWorker(id, lane: lanes[lane])
            contents.workers[id] = worker
            return { if let worker { worker.start(calmly: calmly) } else { self.refuseContract(id) } }
        case .hurry(let id):
            guard let worker = contents.workers[id] else { return nil }
            return { worker.hurry() }
        case .give(let id, let waiter):
            guard let lease = contents.lease(id, to: waiter, now) else { return nil }
            return { self.begin(lease) }
        case .fail(let waiter, let failure):
            guard let call = contents.waiters.removeValue(forKey: waiter) else { return nil }
            return { call.fail(failure) }
        case .stop(let id, let reason):
            guard let worker = contents.workers[id] else { return nil }
            return { worker.stop(because: reason.rawValue) }
        case .recall(let id):
            guard let worker = contents.workers[id] else { return nil }
            return { worker.recall() }
        case .weigh(let id, let time):
            guard let worker = contents.workers[id] else { return nil }
            let delay = TimeAmount.nanoseconds(max(0, (time - now).nanoseconds))
            return { [lanes] in
                lanes[0].loop.scheduleTask(in: delay) { [weak self, weak worker] in self?.weigh(id, worker?.pid ?? 0) }
            }
        case .requestSlots(let count): return { [budget, identity] in budget.request(count, for: identity) }
        case .withdrawSlots(let count): return { [budget, identity] in budget.withdraw(count, for: identity) }
        case .surrenderSlot: return { [budget, identity] in budget.noteSurrender(of: identity) }
        case .keepSlot: return { [budget, identity] in budget.noteKept(by: identity) }
        case .releaseSlot(let wasSurrendered):
            return { [budget, identity] in budget.release(from: identity, wasSurrendered: wasSurrendered) }
        case .setTimer(let deadline):
            contents.timer?.cancel()
            let delay = TimeAmount.nanoseconds(max(0, (deadline - now).nanoseconds))
            contents.timer = lanes[0].loop.scheduleTask(in: delay) { [weak self] in
                self?.tick()
            }
            return nil
        case .roomGrew: return contents.onRoom?.notify
        case .drained:
            let spectators = contents.spectators
            contents.spectators = [:]
            contents.timer?.cancel()
            return { for spectator in spectators.values { spectator.resume() } }
        }
    }

    private func tick() {
        change { contents, now in
            let workers = contents.workers
            return contents.state.tick(now) { workers[$0]?.callTime }
        }
    }

    private func makeWorker(_ id: PoolState.WorkerID, lane: Lane) -> (any Worker)? {
        // State and messages have frames of their own in the contract apus.
        let access =
            manifest.handler.contract == .apus ? nil : directory.map { WorkerAccess($0, manifest: manifest) }
        let worker = makeWorker(id, lane: lane, access: access)
        guard let access, let worker else { return worker }
        return JoinedWorker(worker, access)
    }

    private func makeWorker(_ id: PoolState.WorkerID, lane: Lane, access: WorkerAccess?) -> (any Worker)? {
        let reports = WorkerReports(
            ready: { ahead in
                self.change { $0.state.workerReady(id, ahead: ahead, now: $1) }
                self.surrenderIdle()
            },
            released: { self.released(id) },
            returned: { self.change { contents, _ in contents.state.returned(id) } },
            closing: { self.change { $0.state.workerCloses(id, now: $1) } },
            exited: { self.exited(id, $0) },
            couldNotStart: { self.exited(id, $0, couldNotStart: true) },
            couldNotInitialise: { self.exited(id, $0, functionError: $1) })
        switch manifest.handler.contract {
        case .stdio: return perCall(StdioContract(), id, lane, access, reports)
        case .cgi: return perCall(CGIContract(manifest), id, lane, access, reports)
        case .apus:
            return ApusWorker(
                manifest, number: id, lane: lane, reports: reports, output: output, templates: templates)
        case .http:
            return HTTPWorker(manifest, number: id, lane: lane, access: access, reports: reports, output: output)
        case .lambda:
            return LambdaWorker(manifest, number: id, lane: lane, access: access, reports: reports, output: output)
        }
    }

    private func perCall(
        _ contract: any PerCallContract, _ id: PoolState.WorkerID, _ lane: Lane, _ access: WorkerAccess?,
        _ reports: WorkerReports
    ) -> any Worker {
        PerCallWorker(
            contract, manifest, number: id, lane: lane, access: access, reports: reports, output: output)
    }

    /// Finds out how much memory a worker has, on a thread that may block.
    private func weigh(_ id: PoolState.WorkerID, _ pid: Int32) {
        guard pid != 0 else { return }
        change { contents, now in
            contents.state.weighs(id, now: now)
            return []
        }
        NIOThreadPool.singleton.submit { [weak self] _ in
            let bytes = ProcessGroup.residentBytes(of: pid)
            self?.change { $0.state.weighed(id, bytes: bytes, now: $1) }
        }
    }

    private func exited(
        _ id: PoolState.WorkerID, _ reason: String, functionError: FunctionError? = nil, couldNotStart: Bool = false
    ) {
        change { contents, now in
            contents.workers[id] = nil
            return contents.state.workerExited(
                id, reason: reason, functionError: functionError, couldNotStart: couldNotStart, now: now)
        }
        // Nobody has called for as long as workers stay idle.
        if let templates, contents.withLock({ $0.workers.isEmpty && $0.state.spares.target == 0 }) { templates.stop() }
    }

    private func refuseContract(_ id: PoolState.WorkerID) {
        let reason = "the contract '\(manifest.handler.contract.rawValue)' is not available in this version"
        change { $0.state.workerExited(id, reason: reason, now: $1) }
    }

    private func released(_ id: PoolState.WorkerID) {
        let pressure = budget.pressure(on: identity)
        if pressure.isUrgent || !releaseQuietly(id) { change { $0.state.release(id, pressure: pressure, now: $1) } }
        // Asked again after the worker has become idle: a pool that came to wait before has not seen it so.
        surrenderIdle()
    }

    private func surrenderIdle() {
        if budget.pressure(on: identity) != .none { change { $0.state.surrender($1) } }
    }

    private enum Release {
        case alone(room: Contents.Listener?)
        case passedOn(Lease?, ahead: Lease?)
    }

    /// The common ways, which do without a list of actions.
    private func releaseQuietly(_ id: PoolState.WorkerID) -> Bool {
        let now = PoolState.Instant.now
        let release = contents.withLock { contents -> Release? in
            if let waiter = contents.state.passOn(id, now: now) {
                let lease = contents.lease(id, to: waiter, now)
                let next = contents.state.takeAhead(id, now: now)
                return .passedOn(lease, ahead: next.flatMap { contents.lease(id, to: $0, now) })
            }
            return contents.state.releaseQuietly(id, now: now) ? .alone(room: contents.onRoom) : nil
        }
        switch release {
        case .alone(let listener): listener?.notify()
        case .passedOn(let lease, let ahead):
            if let lease { begin(lease) }
            if let ahead { begin(ahead) }
        case nil: return false
        }
        return true
    }

    /// Soon: whoever has ended a call may be in the middle of something.
    private func begin(_ lease: Lease) {
        lanes[lease.lane].enqueue { lease.call.begin(on: lease.worker, given: lease.time) }
    }
}
