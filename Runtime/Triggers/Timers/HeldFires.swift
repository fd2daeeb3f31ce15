package import Events
import Manifests
package import Storage

/// Instants that were due and found no room in the queue of their function: they fire late, as far as `missed` of their
/// timer says, like those that passed while the host was down. Pure.
package struct HeldFires: Sendable {
    private var triggers: [String: TimerTrigger] = [:]
    /// Of each timer in ascending order, at most as many as `missed` allows.
    private var fires: [String: [TimerFire]] = [:]

    package init() {}

    package var isEmpty: Bool { fires.isEmpty }

    /// From now on there are these timers.
    package mutating func replace(_ definitions: [TimerDefinition]) {
        triggers = Dictionary(definitions.map { ($0.key, $0.trigger) }) { first, _ in first }
        fires = fires.filter { triggers[$0.key] != nil }
    }

    /// Takes in what found no room. Returns the timers that had nothing waiting before.
    package mutating func hold(_ full: [TimerFire], now: WallTime) -> [String] {
        var new: [String] = []
        for fire in full {
            if fires[fire.timer] == nil { new.append(fire.timer) }
            append(fire, now: now)
        }
        return new
    }

    /// Everything that waits, and what is due besides, to be tried now.
    package mutating func takeAll(with due: [TimerFire], now: WallTime) -> [TimerFire] {
        for fire in due where fires[fire.timer] != nil { append(fire, now: now) }
        let others = due.filter { fires[$0.timer] == nil }
        defer { fires = [:] }
        return fires.sorted { $0.key < $1.key }.flatMap(\.value) + others
    }

    /// What of `due` can be tried now; the rest waits behind what waits already, so that a timer keeps its order.
    package mutating func join(_ due: [TimerFire], now: WallTime) -> [TimerFire] {
        for fire in due where fires[fire.timer] != nil { append(fire, now: now) }
        return due.filter { fires[$0.timer] == nil }
    }

    private mutating func append(_ fire: TimerFire, now: WallTime) {
        // Taken out, so that it is changed in its place: there may be thousands.
        var all = fires.removeValue(forKey: fire.timer) ?? []
        all.append(fire)
        switch triggers[fire.timer]?.missed {
        case .all: all.removeFirst(max(0, all.count - (triggers[fire.timer]?.missedLimit ?? 1)))
        case .once, nil: all = all.suffix(1)
        case .none?:
            // What is too late does not run any more; it is noted, so that it does not come back.
            let late = now.advanced(by: .zero - TimerPlan.tolerance)
            all = all.suffix(1).map { fire in
                fire.due >= late
                    ? fire : TimerFire(timer: fire.timer, due: fire.due, invocation: nil, skipIfBusy: false)
            }
        }
        fires[fire.timer] = all
    }
}
