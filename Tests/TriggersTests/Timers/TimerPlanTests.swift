import Events
import Manifests
import Storage
import Testing
import Triggers

@Suite("The plan of timers")
struct TimerPlanTests {
    private func hourly(_ missed: TimerTrigger.Missed = .once, limit: Int = 100) -> TimerTrigger {
        TimerTrigger(schedule: .cron("0 * * * *"), missed: missed, missedLimit: limit)
    }

    @Test(
        "after downtime over three due times, missed decides",
        arguments: [
            (TimerTrigger.Missed.none, 100, ["09:00 noted"]), (.once, 100, ["09:00 missed"]),
            (.all, 100, ["07:00 missed", "08:00 missed", "09:00 missed"]), (.all, 2, ["08:00 missed", "09:00 missed"]),
        ])
    func downtime(missed: TimerTrigger.Missed, limit: Int, expected: [String]) throws {
        var world = try PlanWorld(
            hourly(missed, limit: limit), handled: "2026-11-20T06:00", start: "2026-11-20T09:00:01")
        #expect(world.pass(.zero).summary == expected)
        #expect(world.plan.nextDue == WallTime("2026-11-20T10:00"))
        #expect(world.pass(.seconds(3599)).summary == ["10:00"])
    }

    @Test("a due time that a running host is a little late for is on time")
    func late() throws {
        var world = try PlanWorld(hourly(.none), handled: "2026-11-20T06:30", start: "2026-11-20T06:30")
        #expect(world.pass(.seconds(1799)).isEmpty)
        #expect(world.pass(.seconds(5)).summary == ["07:00"])
        #expect(world.pass(.seconds(7200)).summary == ["08:00 noted", "09:00"])
    }

    @Test("a clock set forward passes instants unwatched")
    func forward() throws {
        var world = try PlanWorld(hourly(), handled: "2026-11-20T06:30", start: "2026-11-20T06:30")
        #expect(world.pass(.zero).isEmpty)
        #expect(world.set(to: "2026-11-20T09:00:01").summary == ["09:00 missed"])
        #expect(world.pass(.seconds(3600)).summary == ["10:00"])
    }

    @Test("a clock set back is followed, by a little or by years")
    func back() throws {
        var world = try PlanWorld(hourly(), handled: "2030-11-20T06:30", start: "2030-11-20T06:30")
        #expect(world.pass(.seconds(1800)).summary == ["07:00"])
        #expect(world.set(to: "2030-11-20T06:59:58").isEmpty)
        #expect(world.plan.nextDue == WallTime("2030-11-20T08:00"))
        #expect(world.set(to: "2026-11-20T06:59:58").isEmpty)
        #expect(world.plan.nextDue == WallTime("2026-11-20T07:00"))
        #expect(world.pass(.seconds(2)).summary == ["07:00"])
    }

    @Test("a host that starts before what it has handled follows its clock")
    func startsInThePast() throws {
        let world = try PlanWorld(hourly(), handled: "2030-11-20T06:30", start: "2026-11-20T06:30")
        #expect(world.plan.nextDue == WallTime("2026-11-20T07:00"))
    }

    @Test("a year in Berlin passes both clock changes with one fire a day")
    func year() throws {
        let trigger = TimerTrigger(schedule: .cron("30 2 * * *"), zone: "Europe/Berlin")
        var world = try PlanWorld(trigger, handled: "2026-01-01T00:00", start: "2026-01-01T00:00")
        var dues: [WallTime] = []
        while let next = world.plan.nextDue, next < WallTime("2027-01-01T00:00") {
            dues += world.pass(next.since(world.now)).map(\.due)
        }
        #expect(dues.count == 365)
        #expect(dues.contains(WallTime("2026-03-29T01:00")) && dues.contains(WallTime("2026-10-25T00:30")))
    }

    @Test("timers that are due at once come out together, and each goes on")
    func many() throws {
        let triggers = (0..<500).map { TimerTrigger(schedule: .cron("\($0 % 2) 7 * * *")) }
        let manifest = Manifest(
            name: "many", handler: Handler(command: ["/bin/true"], contract: .stdio, directory: "/"),
            triggers: triggers.map(Trigger.timer))
        let start = WallTime("2026-11-20T06:59:59")
        var plan = TimerPlan(
            try TimerDefinition.all(of: [manifest]).map { ($0, start) }, watchedSince: start, now: start)
        let first = plan.take(at: WallTime("2026-11-20T07:00"), uptime: .seconds(1))
        #expect(Set(first.map(\.timer)).count == 250)
        let second = plan.take(at: WallTime("2026-11-20T07:01"), uptime: .seconds(61))
        #expect(Set(second.map(\.timer)).count == 250)
        #expect(plan.nextDue == WallTime("2026-11-21T07:00"))
    }

    @Test("at fires once and is over")
    func at() throws {
        let trigger = TimerTrigger(schedule: .at(WallTime("2026-12-24T18:00")))
        var world = try PlanWorld(trigger, handled: "2026-12-24T17:59", start: "2026-12-24T17:59")
        #expect(world.pass(.seconds(60)).summary == ["18:00"])
        #expect(world.plan.nextDue == nil)
    }
}

@Suite("What a timer fires")
struct TimerFireTests {
    private func fire(_ trigger: TimerTrigger, missed: Bool = false) throws -> TimerFire {
        let start = missed ? "2026-11-20T07:00:01" : "2026-11-20T06:59:59"
        var world = try PlanWorld(trigger, handled: "2026-11-20T06:59:59", start: start)
        return try #require(world.pass(missed ? .zero : .seconds(1)).first)
    }

    @Test("the event says what was due")
    func event() throws {
        let fire = try fire(TimerTrigger(schedule: .cron("0 7 * * *")))
        let invocation = try #require(fire.invocation)
        #expect(fire.timer == "digest/timer/0" && invocation.trigger == fire.timer && invocation.kind == .timer)
        #expect(invocation.function == "digest" && invocation.due == fire.due)
        let event = invocation.event
        #expect(event.id == "2026-11-20T07:00:00.000Z" && event.time == fire.due)
        #expect(event.source == "/functions/digest/timers/0" && event.type == "apus.timer.due")
        #expect(event.extensions == ["scheduled": event.id, "timer": "0", "schedule": "0 7 * * *"])
    }

    @Test(
        "overlap decides on busy and exclusive; what was missed waits its turn",
        arguments: [
            (TimerTrigger.Overlap.skip, false, true, false), (.queue, false, false, true),
            (.allow, false, false, false),
            (.skip, true, false, true), (.queue, true, false, true), (.allow, true, false, false),
        ])
    func overlap(overlap: TimerTrigger.Overlap, missed: Bool, skipIfBusy: Bool, exclusive: Bool) throws {
        let fire = try fire(TimerTrigger(schedule: .cron("0 7 * * *"), overlap: overlap), missed: missed)
        #expect(fire.skipIfBusy == skipIfBusy && (fire.invocation?.line != nil) == exclusive)
        #expect(fire.invocation?.event.extensions["missed"] == (missed ? "true" : nil))
    }

    @Test("jitter delays the invocation by the same time after a restart, and not the same for all")
    func jitter() throws {
        let trigger = TimerTrigger(schedule: .every(.seconds(60)), jitter: .seconds(30))
        func delays() throws -> [Duration] {
            var world = try PlanWorld(trigger, handled: "2026-11-20T07:00", start: "2026-11-20T07:00")
            return (0..<50).flatMap { _ in world.pass(.seconds(60)) }.compactMap { $0.invocation?.due.since($0.due) }
        }
        let first = try delays()
        #expect(first.count == 50 && first.allSatisfy { $0 >= .zero && $0 < .seconds(30) })
        #expect(Set(first).count > 25)
        #expect(try delays() == first)
    }
}
