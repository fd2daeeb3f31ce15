import Events
package import Logging
package import Manifests
import ServiceLifecycle
package import Storage
import Synchronization

/// The timer triggers: waits for the instants of all schedules and puts them into the queue.
///
/// `TimerPlan` decides what is due and `Store.fire` has the last word, with a row for each instant. An instant that
/// was taken out of the plan is recorded before another one is; a host that is killed in between finds it as missed.
package final class TimerService: Service {
    private let store: Store
    private let clock: any TimerClock
    private let notify: @Sendable () -> Void
    private let logger: Logger
    private let plan = Mutex<TimerPlan?>(nil)
    private let held = Mutex(HeldFires())
    private let isStopped = Atomic(false)
    private let batch: Int

    /// - Parameters:
    ///   - batch: instants that go into one transaction: enough to share its `fsync`, few enough that nobody waits for it.
    ///   - notify: called after something was enqueued.
    package init(
        store: Store, clock: any TimerClock = SystemTimerClock(), batch: Int = 1000,
        notify: @escaping @Sendable () -> Void, logger: Logger
    ) {
        self.store = store
        self.clock = clock
        self.batch = batch
        self.notify = notify
        self.logger = logger
    }

    /// Makes the timer triggers of `manifests` the running ones. Those that are new begin now; what the others missed
    /// while the host was down is made up for as they say.
    package func update(_ manifests: [Manifest]) async throws {
        let definitions = try TimerDefinition.all(of: manifests)
        let now = clock.now
        let handled = try await register(definitions, at: now)
        // While the host runs, nothing is missed by what is not there.
        let kept = Set(definitions.map(\.key))
        let gone = plan.withLock { $0?.keys ?? [] }.filter { !kept.contains($0) }
        try await store.forget(timers: gone)
        held.withLock { $0.replace(definitions) }
        plan.withLock { plan in
            // A reload is no downtime: what is due meanwhile is on time.
            plan = TimerPlan(
                definitions.map { ($0, handled[$0.key] ?? now) }, watchedSince: plan?.watchedSince ?? now, now: now)
        }
        clock.wake()
    }

    /// Fires until the task is cancelled or shut down.
    package func run() async throws {
        try clock.start()
        await withTaskCancellationOrGracefulShutdownHandler {
            for await _ in clock.wakes { await fireWhatIsDue() }
        } onCancelOrGracefulShutdown: {
            self.isStopped.store(true, ordering: .relaxed)
            self.clock.stop()
        }
    }

    // MARK: Steps

    /// Up to where storage has each timer handled, by key. Known ones cost one read in all; the others are registered
    /// together, so that storage commits them together.
    private func register(_ definitions: [TimerDefinition], at now: WallTime) async throws -> [String: WallTime] {
        let known = try await store.timers()
        var handled = known.mapValues(\.handled)
        let new = definitions.filter { known[$0.key]?.definition != $0.text }
        try await withThrowingTaskGroup(of: (String, WallTime).self) { [store] group in
            for definition in new {
                group.addTask {
                    let record = try await store.register(
                        timer: definition.key, definition: definition.text, since: now)
                    return (definition.key, record.handled)
                }
            }
            for try await (key, time) in group { handled[key] = time }
        }
        return handled
    }

    /// How soon instants that found no room are tried again.
    private static let roomWait = Duration.seconds(1)

    /// Again and again, because time passes meanwhile, until nothing is due.
    private func fireWhatIsDue() async {
        var isFirst = true
        while !isStopped.load(ordering: .relaxed) {
            let (now, uptime) = (clock.now, clock.uptime)
            let (due, next) = plan.withLock { ($0?.take(at: now, uptime: uptime) ?? [], $0?.nextDue) }
            let (fires, isHolding) = held.withLock { held in
                let fires = isFirst ? held.takeAll(with: due, now: now) : held.join(due, now: now)
                return (fires, !held.isEmpty)
            }
            isFirst = false
            guard !fires.isEmpty else {
                let again = isHolding ? now.advanced(by: Self.roomWait) : nil
                return clock.arm(at: [next, again].compactMap(\.self).min())
            }
            for start in stride(from: 0, to: fires.count, by: batch) {
                let next = Array(fires[start..<min(start + batch, fires.count)])
                // Those behind one of the same timer that has found no room in the batch before wait behind it.
                let ready = held.withLock { $0.join(next, now: now) }
                if !ready.isEmpty { await record(ready) }
            }
        }
    }

    /// Storage that fails is tried again; what becomes due meanwhile waits in the plan.
    private func record(_ fires: [TimerFire]) async {
        var delay = Duration.milliseconds(100)
        while !isStopped.load(ordering: .relaxed) {
            do {
                let results = try await store.fire(fires)
                let now = clock.now
                let full = zip(fires, results).filter { $0.1 == .full }.map(\.0)
                let newlyHeld = full.isEmpty ? [] : held.withLock { $0.hold(full, now: now) }
                for key in newlyHeld {
                    logger.warning(
                        "timer has to wait: the queue of its function is full", metadata: ["trigger": "\(key)"])
                }
                log(fires, results)
                if results.contains(.enqueued) { notify() }
                return
            } catch {
                logger.error("cannot record that timers are due; trying again", metadata: ["error": "\(error)"])
            }
            // Cancelled: the loop ends, since that sets `isStopped` too.
            try? await Task.sleep(for: delay)
            delay = min(delay * 2, .seconds(10))
        }
    }

    private func log(_ fires: [TimerFire], _ results: [FireResult]) {
        for (fire, result) in zip(fires, results) {
            let metadata: Logger.Metadata = ["trigger": "\(fire.timer)", "due": "\(fire.due)"]
            switch result {
            case .enqueued: logger.debug("timer is due", metadata: metadata)
            case .skippedBusy:
                logger.notice("timer is skipped, because an earlier invocation is not done", metadata: metadata)
            case .full: logger.debug("timer finds no room in its function's queue", metadata: metadata)
            case .noted: logger.notice("missed time of a timer is dropped", metadata: metadata)
            case .duplicate: logger.debug("timer has fired for this time before", metadata: metadata)
            }
        }
    }
}
