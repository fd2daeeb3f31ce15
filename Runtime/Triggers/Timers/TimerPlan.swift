package import Events
import Manifests
import Schedules
package import Storage

/// What is due, and when something will be: all timers of a host, decided from the clocks that it is told.
///
/// An instant is *missed* when it passed while nobody watched (before the host came up, while the machine slept, in a
/// jump of the clock), or when the host was more than `tolerance` late for it; `missed` then says what happens.
/// Everything else that is due fires. Where the clock was set back, the plan follows it, and storage, which has a row
/// for every instant that fired, sees to it that none does so again.
package struct TimerPlan: Sendable {
    /// How late an instant may be and still count as on time. A step of the clock below this counts as lateness, too.
    package static let tolerance = Duration.seconds(5)

    private struct Entry {
        var definition: TimerDefinition
        /// Instants up to here have been dealt with.
        var position: WallTime
    }

    private var entries: [Entry]
    private var heap = DueHeap()
    /// What passed up to here passed unwatched.
    package private(set) var watchedSince: WallTime
    private var lastSeen: (now: WallTime, uptime: Duration)?

    /// Of the timers that there are.
    package var keys: [String] { entries.map(\.definition.key) }

    /// - Parameters:
    ///   - timers: each with the instant up to which storage has it handled.
    ///   - watchedSince: when the host came up.
    package init(_ timers: [(definition: TimerDefinition, handled: WallTime)], watchedSince: WallTime, now: WallTime) {
        entries = timers.map { Entry(definition: $0.definition, position: min($0.handled, now)) }
        self.watchedSince = watchedSince
        schedule()
    }

    /// When to look again; `nil` for never.
    package var nextDue: WallTime? { heap.first?.due }

    /// Takes out all that is due at `now`, that of each timer in ascending order.
    ///
    /// - Parameter uptime: of a clock that never jumps and stands still while the machine sleeps.
    package mutating func take(at now: WallTime, uptime: Duration) -> [TimerFire] {
        noticeStep(to: now, uptime)
        var fires: [TimerFire] = []
        while let first = heap.first, first.due <= now {
            _ = heap.popFirst()
            fires += take(first.number, at: now)
            schedule(first.number)
        }
        return fires
    }

    private mutating func take(_ number: Int, at now: WallTime) -> [TimerFire] {
        let entry = entries[number]
        let unwatched = min(now, max(watchedSince, now.advanced(by: .zero - Self.tolerance)))
        let schedule = entry.definition.schedule
        let onTime = schedule.latest(.max, after: max(entry.position, unwatched), through: now)
        entries[number].position = now
        return missed(entry, through: unwatched) + onTime.map { entry.definition.fire($0, isMissed: false) }
    }

    private func missed(_ entry: Entry, through end: WallTime) -> [TimerFire] {
        let trigger = entry.definition.trigger
        let count = trigger.missed == .all ? trigger.missedLimit : 1
        let instants = entry.definition.schedule.latest(count, after: entry.position, through: end)
        return instants.map {
            trigger.missed == .none ? entry.definition.note($0) : entry.definition.fire($0, isMissed: true)
        }
    }

    /// Tells a jump of the wall clock by the clock that never jumps.
    private mutating func noticeStep(to now: WallTime, _ uptime: Duration) {
        defer { lastSeen = (now, uptime) }
        guard let lastSeen else { return }
        let step = now.since(lastSeen.now) - (uptime - lastSeen.uptime)
        guard step > Self.tolerance || step < .zero - Self.tolerance else { return }
        watchedSince = now
        guard step < .zero else { return }
        for number in entries.indices { entries[number].position = min(entries[number].position, now) }
        heap = DueHeap()
        schedule()
    }

    private mutating func schedule() { for number in entries.indices { schedule(number) } }

    private mutating func schedule(_ number: Int) {
        guard let due = entries[number].definition.schedule.next(after: entries[number].position) else { return }
        heap.insert(DueHeap.Element(due: due, number: number))
    }
}
