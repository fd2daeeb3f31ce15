import Events
import Schedules
import Testing

/// What Europe/Berlin does in 2026: 02:00→03:00 on the 29th of March, 03:00→02:00 on the 25th of October.
@Suite("Clock changes")
struct ClockChangeTests {
    struct Case: Sendable {
        var text: String
        var start: String
        var expected: [String]
        var gap = Schedule.Gap.run
        var fold = Schedule.Fold.once
    }

    static let spring = "2026-03-29T00:00:00Z"
    static let autumn = "2026-10-24T23:00:00Z"

    @Test(
        "fixed times run once, wildcards follow elapsed time, and both can be overridden",
        arguments: [
            // The gap, from 02:00 CET = 01:00Z.
            Case(text: "30 2 * * *", start: spring, expected: ["29T01:00", "30T00:30"]),
            Case(text: "0,20,40 2 * * *", start: spring, expected: ["29T01:00", "30T00:00"]),
            Case(text: "0 2,3 * * *", start: spring, expected: ["29T01:00", "30T00:00"]),
            Case(text: "30 1-3 * * *", start: spring, expected: ["29T00:30", "29T01:00", "29T01:30", "29T23:30"]),
            Case(text: "*/10 30 2 * * *", start: spring, expected: ["29T01:00", "30T00:30"]),
            Case(text: "30 2 * * *", start: spring, expected: ["30T00:30", "31T00:30"], gap: .skip),
            Case(text: "*/30 2 * * *", start: spring, expected: ["30T00:00", "30T00:30"]),
            Case(text: "30 * * * *", start: spring, expected: ["29T00:30", "29T01:30", "29T02:30"]),
            Case(text: "0 */2 * * *", start: spring, expected: ["29T02:00", "29T04:00"]),
            // The overlap, of 02:00-03:00 CEST = 00:00Z and 02:00-03:00 CET = 01:00Z.
            Case(text: "30 2 * * *", start: autumn, expected: ["25T00:30", "26T01:30"]),
            Case(text: "30 2 * * *", start: autumn, expected: ["25T00:30", "25T01:30", "26T01:30"], fold: .both),
            Case(text: "30 1-3 * * *", start: autumn, expected: ["24T23:30", "25T00:30", "25T02:30"]),
            Case(text: "0 3 * * *", start: autumn, expected: ["25T02:00", "26T02:00"]),
            Case(text: "30 * * * *", start: autumn, expected: ["24T23:30", "25T00:30", "25T01:30", "25T02:30"]),
            Case(text: "*/30 2 * * *", start: autumn, expected: ["25T00:00", "25T00:30", "25T01:00", "25T01:30"]),
        ])
    func berlin(_ row: Case) throws {
        let berlin = try ZoneRules.load("Europe/Berlin")
        let schedule = try Schedule(.cron(CronExpression(row.text)), zone: berlin, gap: row.gap, fold: row.fold)
        let found = schedule.instants(after: WallTime(row.start), count: row.expected.count)
        #expect(found.map { String($0.description.dropFirst(8).prefix(8)) } == row.expected)
    }

    @Test("a fixed time is not caught up in the second half of an overlap that it preceded")
    func midOverlap() throws {
        let schedule = try Schedule(.cron(CronExpression("50 2 * * *")), zone: .load("Europe/Berlin"))
        #expect(schedule.next(after: WallTime("2026-10-25T01:45:00Z"))?.description == "2026-10-26T01:50:00.000Z")
    }

    @Test("half an hour, midnight and a whole day may be skipped as well")
    func unusualGaps() throws {
        let rows = [
            ("Australia/Lord_Howe", "15 2 * * *", "2026-10-03T00:00:00Z", "2026-10-03T15:30:00.000Z"),
            ("America/Sao_Paulo", "30 0 * * *", "2018-11-03T12:00:00Z", "2018-11-04T03:00:00.000Z"),
            ("Pacific/Apia", "0 9 * * *", "2011-12-30T00:00:00Z", "2011-12-30T10:00:00.000Z"),
        ]
        for (zone, text, start, expected) in rows {
            let schedule = try Schedule(.cron(CronExpression(text)), zone: .load(zone))
            #expect(schedule.next(after: WallTime(start))?.description == expected, "\(zone)")
        }
    }

    @Test(
        "a remark says what the clocks do to it",
        arguments: [
            (
                "30 2 * * *", "2026-03-29T01:00:00Z",
                "clocks go forward 02:00→03:00; 02:30 does not exist, runs at 03:00"
            ),
            ("0 * * * *", "2026-03-29T01:00:00Z", "clocks go forward 02:00→03:00"),
            ("30 2 * * *", "2026-10-25T00:30:00Z", "clocks go back 03:00→02:00; 02:30 occurs twice, runs at the first"),
            ("30 * * * *", "2026-10-25T00:30:00Z", "clocks go back 03:00→02:00; 02:30 occurs twice, this is the first"),
            ("0 * * * *", "2026-10-25T01:00:00Z", "clocks go back 03:00→02:00; 02:00 occurs twice, this is the second"),
            ("30 2 * * *", "2026-03-30T00:30:00Z", nil),
            ("0 3 * * *", "2026-10-25T02:00:00Z", nil),
        ])
    func remarks(text: String, due: String, expected: String?) throws {
        let schedule = try Schedule(.cron(CronExpression(text)), zone: .load("Europe/Berlin"))
        #expect(schedule.remark(at: WallTime(due)) == expected)
    }

    @Test("a time that is skipped for good is named")
    func skips() throws {
        let schedule = try Schedule(.cron(CronExpression("30 2 * * *")), zone: .load("Europe/Berlin"), gap: .skip)
        let skips = schedule.skips(after: WallTime("2026-01-01T00:00:00Z"), through: WallTime("2027-01-01T00:00:00Z"))
        #expect(skips.map(\.time.description) == ["2026-03-29T01:00:00.000Z"])
        #expect(skips.first?.remark == "clocks go forward 02:00→03:00; 02:30 does not exist, skipped")
    }

    @Test("local text carries the offset")
    func localText() throws {
        let time = WallTime("2026-03-29T01:00:00Z")
        #expect(try ZoneRules.load("Europe/Berlin").localText(of: time) == "2026-03-29T03:00:00+02:00")
        #expect(try ZoneRules.load("America/St_Johns").localText(of: time) == "2026-03-28T22:30:00-02:30")
    }
}

@Suite("Schedules without cron")
struct PlainScheduleTests {
    @Test("every is counted from 1970, so that it stays where it is")
    func every() throws {
        let schedule = try Schedule(.every(.seconds(900)))
        #expect(schedule.next(after: WallTime("2026-11-21T00:14:59Z"))?.description == "2026-11-21T00:15:00.000Z")
        #expect(schedule.next(after: WallTime("2026-11-21T00:15:00Z"))?.description == "2026-11-21T00:30:00.000Z")
        #expect(schedule.next(after: WallTime("1969-12-31T23:59:59Z"))?.description == "1970-01-01T00:00:00.000Z")
        #expect(throws: ScheduleError.self) { try Schedule(.every(.zero)) }
    }

    @Test("at happens once")
    func at() throws {
        let instant = WallTime("2026-12-24T18:00:00+01:00")
        let schedule = try Schedule(.at(instant))
        #expect(schedule.instants(after: WallTime("2026-01-01T00:00:00Z"), count: 3) == [instant])
    }

    @Test("the newest instants of a long time are found without counting through it")
    func latest() throws {
        let (start, end) = (WallTime("1970-01-01T00:00:00Z"), WallTime("2026-11-21T00:00:00Z"))
        let seconds = try Schedule(.cron(CronExpression("* * * * * *")))
        #expect(seconds.latest(2, after: start, through: end) == [end.advanced(by: .seconds(-1)), end])
        let yearly = try Schedule(.cron(CronExpression("@yearly")))
        #expect(yearly.latest(100, after: start, through: end).count == 56)
        #expect(yearly.latest(1, after: WallTime("2026-01-01T00:00:00Z"), through: end).isEmpty)
        #expect(yearly.latest(0, after: start, through: end).isEmpty)
    }
}
