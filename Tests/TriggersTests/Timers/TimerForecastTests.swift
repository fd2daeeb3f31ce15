import Events
import Manifests
import Testing
import Triggers

@Suite("The forecast of timers")
struct TimerForecastTests {
    private func lines(_ triggers: TimerTrigger..., from: String, hours: Int) throws -> [String] {
        let manifest = Manifest(
            name: "digest", handler: Handler(command: ["/bin/true"], contract: .stdio, directory: "/"),
            triggers: triggers.map(Trigger.timer))
        return try TimerForecast([manifest], from: WallTime(from), for: .seconds(hours * 3600)).map { line in
            let remark = line.remark.map { " (\($0))" } ?? ""
            return "\(line.index) \(line.time.description.prefix(16))Z \(line.local) \(line.zoneAbbreviation)\(remark)"
        }
    }

    @Test("Berlin's spring: a time that does not exist runs right after the gap")
    func spring() throws {
        let trigger = TimerTrigger(schedule: .cron("30 2 * * *"), zone: "Europe/Berlin")
        #expect(
            try lines(trigger, from: "2026-03-28T00:00", hours: 72) == [
                "0 2026-03-28T01:30Z 2026-03-28T02:30:00+01:00 CET",
                "0 2026-03-29T01:00Z 2026-03-29T03:00:00+02:00 CEST (clocks go forward 02:00→03:00; 02:30 does not "
                    + "exist, runs at 03:00)",
                "0 2026-03-30T00:30Z 2026-03-30T02:30:00+02:00 CEST",
            ])
    }

    @Test("Berlin's autumn: a time that occurs twice runs at the first, an hourly one at both")
    func autumn() throws {
        let fixed = TimerTrigger(schedule: .cron("30 2 * * *"), zone: "Europe/Berlin")
        let hourly = TimerTrigger(schedule: .cron("30 * * * *"), zone: "Europe/Berlin")
        let change = "clocks go back 03:00→02:00; 02:30 occurs twice"
        #expect(
            try lines(fixed, hourly, from: "2026-10-25T00:00", hours: 3) == [
                "0 2026-10-25T00:30Z 2026-10-25T02:30:00+02:00 CEST (\(change), runs at the first)",
                "1 2026-10-25T00:30Z 2026-10-25T02:30:00+02:00 CEST (\(change), this is the first)",
                "1 2026-10-25T01:30Z 2026-10-25T02:30:00+01:00 CET (\(change), this is the second)",
                "1 2026-10-25T02:30Z 2026-10-25T03:30:00+01:00 CET",
            ])
    }

    @Test("a time that is skipped for good has a line that says so")
    func skipped() throws {
        let trigger = TimerTrigger(schedule: .cron("30 2 * * *"), zone: "Europe/Berlin", gap: .skip)
        let manifest = Manifest.timers("digest", trigger)
        let lines = Array(try TimerForecast([manifest], from: WallTime("2026-03-29T00:00"), for: .seconds(86_400)))
        #expect(lines.map(\.fires) == [false])
        #expect(lines.first?.remark == "clocks go forward 02:00→03:00; 02:30 does not exist, skipped")
    }

    @Test("the start is part of it, the end is not, and functions are merged by time")
    func bounds() throws {
        let manifests = [
            Manifest.timers("b", TimerTrigger(schedule: .every(.seconds(1800)))),
            Manifest.timers("a", TimerTrigger(schedule: .at(WallTime("2026-11-20T07:30")))),
        ]
        let forecast = try TimerForecast(manifests, from: WallTime("2026-11-20T07:00"), for: .seconds(3600))
        #expect(
            forecast.map { "\($0.function) \($0.time.description.dropFirst(11).prefix(5))" } == [
                "b 07:00", "b 07:30", "a 07:30",
            ])
    }
}
