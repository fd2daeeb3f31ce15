import Events
import Logging
import Manifests
import NIOCore
import ServiceLifecycle
import Storage
import Synchronization
package import Workers

/// Runs what is due in the durable queue, as far as the pools have room.
///
/// Requests come first, since a pool's room counts those that wait; but a function always has one queued invocation in
/// line, so that the queue is never starved.
package final class QueueDispatcher: Service {
    /// Looks at the queue at least this often: the wall clock, by which retries are due, may jump.
    private static let longestWait = Duration.seconds(5)
    /// A function whose pool took nothing is left alone this long; so is a store that failed.
    private static let pause = Duration.seconds(1)
    private static let largestLease = 64

    private let engine: InvocationEngine
    private let lanes: [Lane]
    private let loads = Mutex<[String: Load]>([:])
    private let isStopping = Atomic<Bool>(false)
    private let drainTime: Duration
    /// What runs then is cancelled.
    private let deadline = Mutex<ContinuousClock.Instant?>(nil)

    /// - Parameters:
    ///   - lanes: at least one; invocations are spread over them.
    ///   - drain: what runs when it is stopped may go on for so long.
    package init(engine: InvocationEngine, lanes: [Lane], drain: Duration) {
        self.engine = engine
        self.lanes = lanes
        drainTime = drain
    }

    /// Dispatches until the host shuts down, then waits for what runs, as long as the drain time allows. What is
    /// cancelled goes back to the queue.
    package func run() async throws {
        await withGracefulShutdownHandler {
            await withTaskGroup { group in
                group.addTask { await self.dispatch() }
                group.addTask {
                    do {
                        try await gracefulShutdown()
                        try await Task.sleep(until: self.stop(), clock: .continuous)
                    } catch {}  // Cancelled: there is nothing left to wait for.
                }
                await group.next()
                group.cancelAll()
            }
        } onGracefulShutdown: {
            self.stop()
        }
    }

    /// Leases nothing more. Returns when what runs is cancelled, which the first call decides.
    @discardableResult
    package func stop() -> ContinuousClock.Instant {
        isStopping.store(true, ordering: .releasing)
        engine.endings.stop()
        engine.queueChanged()
        return deadline.withLock { deadline in
            let end = deadline ?? .now + drainTime
            deadline = end
            return end
        }
    }

    /// Returns when it is stopped and all that it has leased has ended.
    private func dispatch() async {
        await withDiscardingTaskGroup { group in
            while !isStopping.load(ordering: .acquiring), !Task.isCancelled {
                let due = await dueFunctions()
                for function in due.functions { group.addTask { await self.drain(function) } }
                await engine.queue.wait(longest: due.next, on: lanes[0].loop)
            }
        }
    }

    // MARK: Which functions

    /// The functions that have something due and nobody at it, and how long until the next one has.
    private func dueFunctions() async -> (functions: [HostedFunction], next: Duration) {
        var next = Self.longestWait
        var functions: [HostedFunction] = []
        do {
            let now = WallTime.now()
            for (name, due) in try await engine.store.nextDue() {
                guard let function = engine.function(named: name) else { continue }
                guard due <= now else {
                    next = min(next, due.since(now))
                    continue
                }
                let quota = function.quota(at: .now)
                guard quota.calls != 0 else {
                    next = min(next, quota.wait)
                    continue
                }
                switch claim(name) {
                case .claimed: functions.append(function)
                case .taken: break
                case .paused(let left): next = min(next, left)
                }
            }
        } catch {
            engine.logger.error("the queue cannot be read, trying again soon: \(error)")
            next = Self.pause
        }
        return (functions, next)
    }

    private func claim(_ name: String) -> Load.Claim {
        loads.withLock { $0[name, default: Load()].claim(now: .now) }
    }

    // MARK: One function

    /// Leases and runs what is due until nothing is or the pool is full; returns when all of it has ended.
    private func drain(_ function: HostedFunction) async {
        await withDiscardingTaskGroup { group in
            while let leased = await lease(of: function) {
                for invocation in leased {
                    let lane = lanes[Int(truncatingIfNeeded: invocation.lease.invocation.low % UInt64(lanes.count))]
                    group.addTask(executorPreference: lane) {
                        await self.run(invocation, of: function, on: lane)
                    }
                }
            }
        }
    }

    /// What to run next; `nil`, and the claim given up, when there is nothing or no room.
    private func lease(of function: HostedFunction) async -> [LeasedInvocation]? {
        let leased = await leaseIfRoom(of: function)
        let goesOn = loads.withLock { $0[function.manifest.name]?.leased(leased.count) ?? false }
        return goesOn ? leased : nil
    }

    private func leaseIfRoom(of function: HostedFunction) async -> [LeasedInvocation] {
        let name = function.manifest.name
        let running = loads.withLock { $0[name]?.running ?? 0 }
        let quota = function.quota(at: .now)
        function.wantsRoom()
        var room = min(max(function.pool.room, running == 0 ? 1 : 0), Self.largestLease)
        if !engine.hasRoomForNotices(of: function.manifest) {
            // One at a time, so that functions that wait for each other's queues go on.
            room = min(room, running == 0 ? 1 : 0)
            pause(name, for: Self.pause)
        }
        let limit = min(room, quota.calls ?? room)
        guard limit > 0, !isStopping.load(ordering: .acquiring) else { return [] }
        do {
            return try await engine.store.lease(function: name, limit: limit, now: .now())
        } catch {
            engine.logger.error("\(name) cannot take from the queue, trying again soon: \(error)")
            pause(name, for: Self.pause)
            return []
        }
    }

    private func run(_ leased: LeasedInvocation, of function: HostedFunction, on lane: Lane) async {
        let queued = leased.invocation
        await engine.running.run(queued.id, on: lane) { await self.attempt(leased, of: function, on: lane) }
        engine.endings.ended(queued.id)
        loads.withLock { $0[queued.function]?.running -= 1 }
        engine.queueChanged()
    }

    private func attempt(_ leased: LeasedInvocation, of function: HostedFunction, on lane: Lane) async {
        let queued = leased.invocation
        if let settlement = RetryDecision(policy: function.manifest.retry).settlement(before: leased.attempt) {
            return await settle(leased, as: settlement, of: function.manifest)
        }
        let invocation = Invocation(
            id: queued.id, function: queued.function, cause: queued.cause, attempt: leased.attempt)
        do {
            _ = try await engine.run(invocation, body: queued.body, of: function, on: lane, owing: .settle(leased))
        } catch {
            // Of one that was cancelled the row is settled, and its lease is lost.
            if engine.running.wasEnded(queued.id) { return }
            await settle(leased, after: error.failure, of: function.manifest)
        }
    }

    // MARK: Failures

    private func settle(_ leased: LeasedInvocation, after failure: Failure, of manifest: Manifest) async {
        if failure.stopping || failure.outcome == .cancelled {
            pause(leased.invocation.function, for: Self.pause)
            await persist("giving it back", of: leased) { try await self.engine.store.giveBack([leased.lease]) }
            return
        }
        let decision = RetryDecision(policy: manifest.retry)
        await settle(leased, as: settlement(of: leased, after: failure, decision: decision), of: manifest)
    }

    private func settle(_ leased: LeasedInvocation, as settlement: Settlement, of manifest: Manifest) async {
        let notices = engine.notices(that: settlement, ends: leased, of: manifest)
        await persist("recording its failure", of: leased) {
            _ = try await self.engine.store.commit(
                Commit(effects: nil, settle: (leased.lease, settlement), notices: notices))
        }
    }

    private func settlement(
        of leased: LeasedInvocation, after failure: Failure, decision: RetryDecision
    ) -> Settlement {
        guard failure.unstarted else {
            return decision.settlement(
                after: failure.outcome, reason: failure.reason, permanent: failure.permanent, attempt: leased.attempt,
                enqueued: leased.since, now: .now(), fraction: .random(in: 0..<1),
                wanted: failure.wantedRest)
        }
        let delay = failure.problem.retryAfter.map { .seconds($0) } ?? Self.pause
        // What comes next of the function would fare no better.
        pause(leased.invocation.function, for: delay)
        return decision.settlement(
            unstarted: failure.outcome, reason: failure.reason, after: delay, enqueued: leased.since, now: .now())
    }

    /// Tries until the store takes it: an invocation must not stay marked as running. A host that is told to stop gives
    /// up; the next one finds the invocation running, and runs it again.
    private func persist(_ what: String, of leased: LeasedInvocation, _ body: () async throws -> Void) async {
        while true {
            do {
                return try await body()
            } catch {
                engine.logger.error(
                    "\(what) failed, trying again soon: \(error)", metadata: ["invocation": "\(leased.invocation.id)"])
                do { try await Task.sleep(for: Self.pause) } catch { return }
            }
        }
    }

    private func pause(_ name: String, for time: Duration) {
        loads.withLock { $0[name]?.notBefore = .now + time }
    }
}

extension NewInvocation {
    fileprivate var cause: Invocation.Cause {
        if let request { .request(request) } else { .event(kind, event) }
    }

    fileprivate var body: Body { request == nil ? .empty : .bytes(ByteBuffer(bytes: event.data)) }
}

extension QueueDispatcher {
    /// What is under way for one function.
    struct Load {
        enum Claim: Equatable {
            case claimed, taken
            case paused(Duration)
        }

        private var isLeasing = false
        /// Something came while it was leasing, perhaps after it had looked.
        private var isAskedAgain = false
        var running = 0
        var notBefore: ContinuousClock.Instant?

        /// Lets one look at the queue at a time.
        mutating func claim(now: ContinuousClock.Instant) -> Claim {
            if isLeasing {
                isAskedAgain = true
                return .taken
            }
            if let notBefore, notBefore > now { return .paused(notBefore - now) }
            isLeasing = true
            return .claimed
        }

        /// Notes what a look at the queue has brought. Returns whether to look again.
        mutating func leased(_ count: Int) -> Bool {
            running += count
            isLeasing = count > 0 || isAskedAgain
            isAskedAgain = false
            return isLeasing
        }
    }
}
