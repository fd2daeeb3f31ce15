import Events
import Manifests
import Testing
import Workers

/// Drives a `PoolState` by hand: time moves when the test says so, and slots are granted at once unless told otherwise.
struct PoolBench {
    var state: PoolState
    var now = SteadyTime.now
    /// What the pool asked for, in order, slots and timers left out.
    var seen: [PoolState.Action] = []
    var timer: SteadyTime?
    var grantsSlots = true
    var slots = 0
    /// Slots that are about to be free for others.
    var surrendered = 0
    /// How often there was more room, as those were told who wait for it.
    var roomGrew = 0
    /// Takes the common ways where there are any, as the shell does.
    var isQuick = true
    /// What the workers' calls take, as they say.
    var callTimes: [Int: Duration] = [:]
    private var lastWaiter: UInt64 = 0

    init(lanes: Int = 1, processors: Int = 2, _ adjust: (inout WorkerPolicy, inout Limits) -> Void = { _, _ in }) {
        var policy = WorkerPolicy()
        var limits = Limits()
        adjust(&policy, &limits)
        state = PoolState(policy: policy, limits: limits, laneCount: lanes, processors: processors)
    }

    /// A call comes: the worker that it gets at once, or its number in line.
    mutating func call(lane: Int = 0, mayGoAhead: Bool = true) -> (worker: Int?, waiter: UInt64) {
        lastWaiter += 1
        if let worker = state.takeFree(lane: lane) { return (worker, lastWaiter) }
        if isQuick, state.waitQuietly(lastWaiter, lane: lane, mayGoAhead: mayGoAhead, now: now) {
            return (nil, lastWaiter)
        }
        note(state.wait(lastWaiter, lane: lane, mayGoAhead: mayGoAhead, now: now))
        return (nil, lastWaiter)
    }

    /// A call that a worker has given back has a place in line again; as one that has come last.
    mutating func standAgain() {
        lastWaiter += 1
        note(state.waitAgain(lastWaiter, lane: 0, after: .zero, now: now))
    }

    mutating func note(_ actions: [PoolState.Action]) {
        for action in actions {
            switch action {
            case .requestSlots(let count):
                for _ in 0..<(grantsSlots ? count : 0) { grant() }
            case .setTimer(let instant): timer = instant
            case .releaseSlot(let wasSurrendered):
                slots -= 1
                if wasSurrendered { surrendered -= 1 }
            case .surrenderSlot: surrendered += 1
            case .keepSlot: surrendered -= 1
            case .roomGrew: roomGrew += 1
            case .withdrawSlots: break
            case .start, .hurry, .give, .fail, .stop, .recall, .weigh, .drained: seen.append(action)
            }
        }
    }

    mutating func grant() {
        slots += 1
        note(state.slotGranted(now))
    }

    mutating func ready(_ worker: Int, ahead: Int = 0) { note(state.workerReady(worker, ahead: ahead, now: now)) }

    mutating func exits(_ worker: Int, _ reason: String = "exit status 1") {
        note(state.workerExited(worker, reason: reason, now: now))
    }

    /// A call ends.
    mutating func release(_ worker: Int, pressure: BudgetPressure = .none) {
        if isQuick, pressure == .none {
            if let waiter = state.passOn(worker, now: now) {
                seen.append(.give(worker, to: waiter))
                if let next = state.takeAhead(worker, now: now) { seen.append(.give(worker, to: next)) }
                return
            }
            if state.releaseQuietly(worker, now: now) { return }
        }
        note(state.release(worker, pressure: pressure, now: now))
    }

    /// Lets time pass, firing the timer on the way.
    mutating func pass(_ duration: Duration) {
        let end = now + duration
        while let due = timer, due <= end {
            timer = nil
            now = max(now, due)
            note(state.tick(now) { [callTimes] in callTimes[$0] })
        }
        now = end
    }

    /// A caller that waits goes away.
    mutating func leaves(_ waiter: UInt64) { note(state.abandon(waiter, now: now).actions) }

    /// Who has been given a worker since the last look, in order.
    mutating func takeGiven() -> [UInt64] {
        takeSeen().compactMap { if case .give(_, let waiter) = $0 { waiter } else { nil } }
    }

    mutating func takeSeen() -> [PoolState.Action] {
        defer { seen = [] }
        return seen
    }

    /// A pool with `count` ready workers, which are idle.
    mutating func warm(_ count: Int) {
        let calls = (0..<count).map { _ in call() }
        for worker in 1...count { ready(worker) }
        for worker in 1...count { release(worker) }
        #expect(calls.allSatisfy { $0.worker == nil })
        seen = []
    }

    func failures() -> [(UInt64, CallFailure)] {
        seen.compactMap { if case .fail(let waiter, let failure) = $0 { (waiter, failure) } else { nil } }
    }
}
