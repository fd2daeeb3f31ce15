import Events
import Schedules
import Testing

/// The tables that robfig/cron (used by OpenFaaS, nuclio, Fission and Knative) tests itself with, as Debian ships them.
/// It skips a fixed time that does not exist and runs one that occurs twice at both: `gap: skip, overlap: both`.
@Suite("The tables of robfig/cron")
struct RobfigTests {
    /// Where crontab(5) has another rule: a day field that begins with `*`, also as `*/10`, counts as unrestricted, and
    /// so the day must match both fields. robfig/cron lets either do when there is a step.
    static let exceptions = [
        Row("Sun Jul 15 00:00 2012", "* * */10 * Sun"): "2012-10-21T00:00:00.000Z",
        Row("Mon Jul 9 23:35 2012", "0 0 0 */5 Apr,Aug,Oct Mon"): "2012-08-06T00:00:00.000Z",
    ]

    struct Row: Hashable {
        var time: String
        var text: String
        init(_ time: String, _ text: String) {
            self.time = time
            self.text = text
        }
    }

    @Test("TestNext and TestNextWithTz", arguments: [("TestNext", 50), ("TestNextWithTz", 4)])
    func next(table: String, count: Int) throws {
        let rows = try GoTables(file: "spec_test.go").rows(of: table)
        #expect(rows.count >= count)
        for row in rows {
            let (time, zone, text) = try read(time: row[0], text: row[1])
            guard Self.exceptions[Row(row[0], row[1])] == nil else { continue }
            let expected = row[2].isEmpty ? nil : try GoTime(row[2], in: zone).instant
            #expect(try next(text, after: time, in: zone) == expected, "\(row)")
        }
    }

    @Test("TestActivation")
    func activation() throws {
        let rows = try GoTables(file: "spec_test.go").rows(of: "TestActivation")
        #expect(rows.count >= 29)
        for row in rows where Self.exceptions[Row(row[0], row[1])] == nil {
            let (time, zone, text) = try read(time: row[0], text: row[1])
            let found = try next(text, after: time.advanced(by: .seconds(-1)), in: zone)
            #expect((found == time) == (row[2] == "true"), "\(row)")
        }
    }

    @Test("TestErrors and TestParseScheduleErrors")
    func errors() throws {
        let rows =
            try GoTables(file: "spec_test.go").rows(of: "TestErrors")
            + GoTables(file: "parser_test.go").rows(of: "TestParseScheduleErrors")
        #expect(rows.count >= 9)
        for row in rows { #expect(throws: ScheduleError.self, "\(row)") { try CronExpression(row[0]) } }
        #expect(throws: ScheduleError.self) { try CronExpression("15/0 * * * *") }
    }

    @Test("the exceptions are rows that exist, and come out as crontab(5) says")
    func exceptionsHold() throws {
        let tables = try GoTables(file: "spec_test.go")
        let rows = Set((tables.rows(of: "TestNext") + tables.rows(of: "TestActivation")).map { Row($0[0], $0[1]) })
        for (row, expected) in Self.exceptions {
            #expect(rows.contains(row))
            let (time, zone, text) = try read(time: row.time, text: row.text)
            #expect(try next(text, after: time.advanced(by: .seconds(-1)), in: zone)?.description == expected)
        }
    }

    private func next(_ text: String, after time: WallTime, in zone: ZoneRules) throws -> WallTime? {
        let expression = try CronExpression(text)
        guard expression.fires else { return nil }
        return try Schedule(.cron(expression), zone: zone, gap: .skip, fold: .both).next(after: time)
    }

    /// The zone stands before the expression or before the time, or nowhere.
    private func read(time: String, text: String) throws -> (time: WallTime, zone: ZoneRules, text: String) {
        var zone = time.hasSuffix("+0530") ? try ZoneRules.load("Asia/Kolkata") : .utc
        var texts = [time, text]
        for index in texts.indices where texts[index].contains("TZ=") {
            let parts = texts[index].split(separator: " ", maxSplits: 1)
            zone = try .load(String(parts[0].split(separator: "=")[1]))
            texts[index] = String(parts[1])
        }
        return (try GoTime(texts[0], in: zone).instant, zone, texts[1])
    }
}

/// A time in one of the layouts of robfig's tests: `Mon Jan 2 15:04:05 2006` or `2006-01-02T15:04:05-0700`.
private struct GoTime {
    let instant: WallTime

    init(_ text: String, in zone: ZoneRules) throws {
        guard !text.contains("T0") && !text.contains("T1") && !text.contains("T2") else {
            instant = WallTime(text)
            return
        }
        let words = text.split(separator: " ")
        let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        let month = try #require(months.firstIndex { $0 == words[1] }) + 1
        let time = words[3].count == 5 ? "\(words[3]):00" : String(words[3])
        // None of the tables writes a time without an offset in a zone other than the machine's own.
        try #require(zone.name == "UTC")
        instant = WallTime("\(words[4])-\(month)-\(words[2])T\(time)Z")
    }
}
