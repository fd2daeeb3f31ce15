import Events
import Manifests
import Schedules
import Storage
import Synchronization
import Testing
import Triggers

extension WallTime {
    /// Reads `2026-03-29T01:30:00Z` or a part of it from the left. Tests only write valid ones.
    init(_ text: String) {
        let numbers = text.split { !$0.isNumber }.compactMap { Int64($0) } + [0, 0, 0]
        let days = Int64(CivilDate(year: Int(numbers[0]), month: Int(numbers[1]), day: Int(numbers[2])).daysSinceEpoch)
        self.init(milliseconds: (days * 86_400 + numbers[3] * 3600 + numbers[4] * 60 + numbers[5]) * 1000)
    }
}

extension Manifest {
    static func timers(_ name: String = "digest", _ triggers: TimerTrigger...) -> Manifest {
        Manifest(
            name: name, handler: Handler(command: ["/bin/true"], contract: .stdio, directory: "/"),
            triggers: triggers.map(Trigger.timer))
    }
}

/// A plan over one function whose clocks are moved by hand.
struct PlanWorld {
    var plan: TimerPlan
    var now: WallTime
    var uptime = Duration.zero

    /// - Parameters:
    ///   - handled: up to where storage has each timer handled.
    ///   - start: when the host comes up.
    init(_ triggers: TimerTrigger..., handled: String, start: String) throws {
        let manifest = Manifest(
            name: "digest", handler: Handler(command: ["/bin/true"], contract: .stdio, directory: "/"),
            triggers: triggers.map(Trigger.timer))
        now = WallTime(start)
        plan = TimerPlan(
            try TimerDefinition.all(of: [manifest]).map { ($0, WallTime(handled)) }, watchedSince: now, now: now)
    }

    /// What is due when both clocks have moved on.
    mutating func pass(_ time: Duration) -> [TimerFire] {
        now = now.advanced(by: time)
        uptime += time
        return plan.take(at: now, uptime: uptime)
    }

    /// What is due when the wall clock alone was set.
    mutating func set(to time: String) -> [TimerFire] {
        now = WallTime(time)
        return plan.take(at: now, uptime: uptime)
    }
}

extension [TimerFire] {
    /// `07:00` for an instant that is on time, `07:00 missed`, `07:00 noted`.
    var summary: [String] {
        map { fire in
            let time = String(fire.due.description.dropFirst(11).prefix(5))
            guard let invocation = fire.invocation else { return "\(time) noted" }
            return invocation.event.extensions["missed"] == nil ? time : "\(time) missed"
        }
    }
}

/// Clocks that tests set, and a wait that ends when they pass the armed time.
final class ManualTimerClock: TimerClock {
    private struct State {
        var now: WallTime
        var uptime = Duration.zero
        var armed: WallTime?
        var armings = 0
    }

    let wakes: AsyncStream<Void>
    private let continuation: AsyncStream<Void>.Continuation
    private let state: Mutex<State>

    init(_ now: String) {
        state = Mutex(State(now: WallTime(now)))
        (wakes, continuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    var now: WallTime { state.withLock(\.now) }
    var uptime: Duration { state.withLock(\.uptime) }
    /// When the service wants to be woken, and how often it has said so.
    var armed: (time: WallTime?, count: Int) { state.withLock { ($0.armed, $0.armings) } }

    func arm(at time: WallTime?) {
        state.withLock {
            $0.armed = time
            $0.armings += 1
        }
    }

    func wake() { continuation.yield() }
    func start() { wake() }
    func stop() { continuation.finish() }

    func move(to time: WallTime, uptime: Duration) {
        state.withLock {
            $0.now = time
            $0.uptime += uptime
        }
        wake()
    }
}
