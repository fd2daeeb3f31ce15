import Events
import Schedules
import Testing

@Suite("Cron expressions")
struct CronExpressionTests {
    /// The days of November 2026 (which begins on a Sunday, and has 30) that a pair of day fields matches.
    @Test(
        "day fields match the days that they name",
        arguments: [
            ("1,15 * *", [1, 15]),
            ("28-3 * *", [1, 2, 3, 28, 29, 30]),
            ("*/10 * *", [1, 11, 21]),
            ("25/2 * *", [25, 27, 29]),
            ("L * *", [30]),
            ("L-3 * *", [27]),
            ("L,L-29 * ?", [1, 30]),
            ("L-30 * *", []),
            ("LW * *", [30]),
            ("L-1W * *", [30]),
            ("1W * *", [2]),
            ("14W * *", [13]),
            ("15W * *", [16]),
            ("31W * *", []),
            ("? * 5L", [27]),
            ("* * MON#5", [30]),
            ("* * 7#1,SatL", [1, 28]),
            ("* * 7", [1, 8, 15, 22, 29]),
            ("* * FRI-SUN", [1, 6, 7, 8, 13, 14, 15, 20, 21, 22, 27, 28, 29]),
            ("* * 7-1", [1, 2, 8, 9, 15, 16, 22, 23, 29, 30]),
            ("13 * fri", [6, 13, 20, 27]),
            ("*/13 * Fri", [27]),
            ("13 * */5", [13]),
            ("13 dec *", []),
            ("1 OCT-JAN/1 *", [1]),
        ])
    func days(fields: String, expected: [Int]) throws {
        let expression = try CronExpression("0 0 \(fields)")
        let days = (1...30).filter { expression.matches(CivilDate(year: 2026, month: 11, day: $0)) }
        #expect(days == expected)
    }

    @Test("a February that is too short for L-28 is left out")
    func shortMonth() throws {
        let expression = try CronExpression("0 0 L-28 2 *")
        #expect(!expression.matches(CivilDate(year: 2026, month: 2, day: 1)))
        #expect(expression.matches(CivilDate(year: 2028, month: 2, day: 1)))
    }

    @Test(
        "times of a day come in order, whatever the order in which they are written",
        arguments: [
            ("30 22-2/2 * * *", ["00:30:00", "02:30:00", "22:30:00"]),
            ("5,1-3 7 * * *", ["07:01:00", "07:02:00", "07:03:00", "07:05:00"]),
            ("58/1 23 * * ?", ["23:58:00", "23:59:00"]),
            ("50-5/5 0 12 * * *", ["12:00:00", "12:00:05", "12:00:50", "12:00:55"]),
            ("*/24 * * * * 1-7/7", ["00:00:00", "00:00:24", "00:00:48", "00:01:00"]),
            ("@daily", ["00:00:00"]),
            (" \t@MIDNIGHT ", ["00:00:00"]),
        ])
    func times(text: String, expected: [String]) throws {
        let schedule = try Schedule(.cron(CronExpression(text)))
        // 2026-11-22 is a Sunday, 2026-11-23 a Monday.
        let start = WallTime(text.contains("1-7/7") ? "2026-11-23T00:00:00Z" : "2026-11-22T00:00:00Z")
        let day = start.description.prefix(11)
        let found = schedule.instants(after: start.advanced(by: .milliseconds(-1)), count: expected.count)
        #expect(found.map(\.description) == expected.map { "\(day)\($0).000Z" })
    }

    @Test(
        "an error names the field, what was found, what is allowed, and where",
        arguments: [
            ("60 * * * *", 0, "minute: 60 is out of range; allowed are 0-59"),
            ("* 24 * * *", 2, "hour: 24 is out of range; allowed are 0-23"),
            ("0 0 0 * *", 4, "day of month: 0 is out of range; allowed are 1-31, L, L-3, LW or 15W"),
            ("0 0 * FOO *", 6, "month: found 'FOO' where a value belongs; allowed are 1-12 or JAN-DEC"),
            (
                "0 0 * * 8", 8,
                "day of week: 8 is out of range; allowed are 0-7 (0 and 7 are Sunday), SUN-SAT, 5L or 5#3"
            ),
            ("0 */0 * * *", 4, "hour: the step 0 is out of range; allowed are 1-24"),
            ("*/90 * * * *", 2, "minute: the step 90 is out of range; allowed are 1-60"),
            ("*/x * * * *", 2, "minute: the step 'x' is not a number; allowed are 1-60"),
            ("1/2/3 * * * *", 4, "minute: more than one '/' in '1/2/3'"),
            ("5--7 * * * *", 3, "minute: more than one '-' in '5--7'"),
            ("1,,2 * * * *", 2, "minute: an empty term in the list '1,,2'"),
            ("1- * * * *", 2, "minute: found nothing where a value belongs; allowed are 0-59"),
            ("? * * * *", 0, "minute: found '?' where a value belongs; allowed are 0-59"),
            ("0 0 LX * *", 5, "day of month: found 'LX'; after 'L' only '-1' to '-30' and 'W' are allowed"),
            ("0 0 * * L", 8, "day of week: 'L' needs a day before it, such as '5L' for the last Friday of the month"),
            ("0 0 * * 5#6", 10, "day of week: found '6' after '#'; allowed are 1-5"),
            (
                "@often", 0,
                "unknown macro '@often'; known are @annually, @daily, @hourly, @midnight, @monthly, "
                    + "@weekly, @yearly"
            ),
            ("@every 5m", 0, "'@every' is written as the trigger's 'every'"),
            (" @daily 5", 1, "'@daily' must stand alone"),
            ("TZ=UTC 0 0 * * *", 0, "found 'TZ=UTC'; a time zone goes into the trigger's 'zone'"),
            (
                "* * * *", 7,
                "found 4 fields; a cron expression has five (minute, hour, day of month, month, day of "
                    + "week) or six (second first)"
            ),
            (
                "* * * * * * *", 12,
                "found 7 fields; a cron expression has five (minute, hour, day of month, month, "
                    + "day of week) or six (second first)"
            ),
        ])
    func errors(text: String, offset: Int, message: String) {
        #expect(throws: ScheduleError(message, offset: offset)) { try CronExpression(text) }
    }

    @Test(
        "an expression that no day matches is refused by the schedule",
        arguments: [
            "0 0 31 2 *", "0 0 30 feb ?", "0 0 31 4,6,9,11 *", "0 0 L-30 2 *", "0 0 31W 6 *", "0 0 */31 1 SAT#5",
        ])
    func neverFires(text: String) throws {
        let expression = try CronExpression(text)
        #expect(!expression.fires)
        #expect(throws: ScheduleError.self) { try Schedule(.cron(expression)) }
    }

    @Test(
        "dates that are years apart are found",
        arguments: [
            ("0 0 29 2 *", "2028-02-29T00:00:00.000Z"),
            ("0 0 * 2 MON#5", "2044-02-29T00:00:00.000Z"),
            ("0 0 */30 1 SAT#5", "2032-01-31T00:00:00.000Z"),
            ("0 0 1 1 5#5", "2027-01-01T00:00:00.000Z"),
        ])
    func rare(text: String, expected: String) throws {
        let schedule = try Schedule(.cron(CronExpression(text)), zone: .utc)
        #expect(schedule.next(after: WallTime("2026-11-21T00:00:00Z"))?.description == expected)
    }
}
