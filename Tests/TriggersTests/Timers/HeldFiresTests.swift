import Events
import Manifests
import Storage
import Testing
import Triggers

@Suite("Instants that find no room")
struct HeldFiresTests {
    private func held(_ missed: TimerTrigger.Missed, limit: Int = 2) throws -> (HeldFires, TimerDefinition) {
        let trigger = TimerTrigger(schedule: .every(.seconds(60)), missed: missed, missedLimit: limit)
        let definition = try #require(try TimerDefinition.all(of: [.timers("digest", trigger)]).first)
        var held = HeldFires()
        held.replace([definition])
        return (held, definition)
    }

    private func fire(_ definition: TimerDefinition, _ seconds: Int64) -> TimerFire {
        let due = WallTime(milliseconds: seconds * 1000)
        let event = Event(id: "\(seconds)", source: "/s", type: "t", time: due)
        let new = NewInvocation(function: "digest", kind: .timer, trigger: definition.key, event: event, due: due)
        return TimerFire(timer: definition.key, due: due, invocation: new, skipIfBusy: false)
    }

    @Test(
        "fire late as missed says",
        arguments: [(TimerTrigger.Missed.all, [120, 180]), (.once, [180]), (.none, [180])]
            as [(TimerTrigger.Missed, [Int64])])
    func policies(missed: TimerTrigger.Missed, expected: [Int64]) throws {
        var (held, definition) = try held(missed)
        let now = WallTime(milliseconds: 200_000)
        #expect(held.hold([60, 120, 180].map { fire(definition, $0) }, now: now) == [definition.key])
        let fires = held.takeAll(with: [], now: now)
        #expect(fires.map(\.due.milliseconds) == expected.map { $0 * 1000 } && held.isEmpty)
        #expect(fires.allSatisfy { ($0.invocation == nil) == (missed == .none) })
    }

    @Test("keep the order of their timer: what comes later waits behind them")
    func order() throws {
        var (held, definition) = try held(.all)
        let now = WallTime(milliseconds: 61_000)
        _ = held.hold([fire(definition, 60)], now: now)
        #expect(held.join([fire(definition, 120)], now: now).isEmpty)
        #expect(held.takeAll(with: [fire(definition, 180)], now: now).map(\.due.milliseconds) == [120_000, 180_000])
        #expect(held.join([fire(definition, 240)], now: now).count == 1)
    }

    @Test("of a timer that is gone are forgotten")
    func gone() throws {
        var (held, definition) = try held(.all)
        _ = held.hold([fire(definition, 60)], now: .now())
        held.replace([])
        #expect(held.isEmpty)
    }
}
