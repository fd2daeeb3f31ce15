import Events
import Schedules
import Testing

@Suite("Time zones")
struct ZoneRulesTests {
    @Test(
        "the clocks of the system's tzdata, past, present and far future",
        arguments: [
            ("Europe/Berlin", "2026-03-29T00:59:59Z", 3600, "CET"),
            ("Europe/Berlin", "2026-03-29T01:00:00Z", 7200, "CEST"),
            ("Europe/Berlin", "2026-10-25T01:00:00Z", 3600, "CET"),
            ("Europe/Berlin", "1945-06-01T00:00:00Z", 10_800, "CEMT"),
            ("Europe/Berlin", "1800-01-01T00:00:00Z", 3208, "LMT"),
            ("Europe/Berlin", "2437-07-01T00:00:00Z", 7200, "CEST"),
            ("America/New_York", "2400-01-01T00:00:00Z", -18_000, "EST"),
            ("Australia/Lord_Howe", "2126-01-01T00:00:00Z", 39_600, "+11"),
            ("Asia/Kolkata", "2126-01-01T00:00:00Z", 19_800, "IST"),
            ("Europe/Dublin", "2126-01-01T00:00:00Z", 0, "GMT"),
            ("America/Sao_Paulo", "2018-12-01T00:00:00Z", -7200, "-02"),
            ("America/Sao_Paulo", "2030-12-01T00:00:00Z", -10_800, "-03"),
            ("UTC", "2026-01-01T00:00:00Z", 0, "UTC"),
        ])
    func offsets(name: String, time: String, seconds: Int, abbreviation: String) throws {
        let offset = try ZoneRules.load(name).offset(at: WallTime(time))
        #expect(offset.seconds == seconds && offset.abbreviation == abbreviation)
    }

    @Test(
        "the next change of the clocks",
        arguments: [
            ("Europe/Berlin", "2026-01-01T00:00:00Z", "2026-03-29T01:00:00.000Z"),
            ("Europe/Berlin", "2026-03-29T01:00:00Z", "2026-10-25T01:00:00.000Z"),
            ("Europe/Berlin", "2099-12-31T00:00:00Z", "2100-03-28T01:00:00.000Z"),
            ("Australia/Lord_Howe", "2040-01-01T00:00:00Z", "2040-03-31T15:00:00.000Z"),
            ("America/Sao_Paulo", "2018-12-01T00:00:00Z", "2019-02-17T02:00:00.000Z"),
        ])
    func transitions(name: String, after: String, expected: String) throws {
        #expect(try ZoneRules.load(name).transition(after: WallTime(after))?.time.description == expected)
    }

    @Test("a zone that has given up its summer time changes no more")
    func noTransition() throws {
        #expect(try ZoneRules.load("America/Sao_Paulo").transition(after: WallTime("2026-01-01T00:00:00Z")) == nil)
        #expect(ZoneRules.utc.transition(after: WallTime("2026-01-01T00:00:00Z")) == nil)
    }

    @Test("every zone of the system loads, and its changes follow one another without a seam")
    func allZones() throws {
        let names = ZoneRules.knownNames()
        #expect(names.count > 400 && names.contains("Europe/Berlin") && names == names.sorted())
        #expect(!names.contains { $0.hasPrefix("right/") || $0.hasPrefix("posix") || $0 == "localtime" })
        for name in names {
            let zone = try ZoneRules.load(name)
            var time = WallTime("1980-01-01T00:00:00Z")
            while let transition = zone.transition(after: time), transition.time < WallTime("2060-01-01T00:00:00Z") {
                #expect(transition.time > time && transition.before.seconds != transition.after.seconds, "\(name)")
                #expect(zone.offset(at: transition.time) == transition.after, "\(name)")
                #expect(
                    zone.offset(at: transition.time.advanced(by: .milliseconds(-1))) == transition.before, "\(name)")
                time = transition.time
            }
        }
    }

    @Test(
        "a name that is no zone is an error",
        arguments: [
            "Europe/Atlantis", "Europe", "europe/berlin", "../../etc/passwd", "/etc/localtime", "", "posixrules",
        ])
    func unknown(name: String) {
        #expect(throws: ScheduleError("unknown time zone '\(name)'; expected an IANA name such as Europe/Berlin")) {
            try ZoneRules.load(name)
        }
    }

    @Test(
        "POSIX rules in all their forms",
        arguments: [
            ("CET-1CEST,M3.5.0,M10.5.0/3", "2026-03-29T01:00:00.000Z", "2026-10-25T01:00:00.000Z"),
            ("<-03>3<-02>,M3.5.0/-2,M10.5.0/-1", "2026-03-29T01:00:00.000Z", "2026-10-25T01:00:00.000Z"),
            ("IST-1GMT0,M10.5.0,M3.5.0/1", "2026-03-29T01:00:00.000Z", "2026-10-25T01:00:00.000Z"),
            ("EST5EDT,J60,J300", "2028-03-01T07:00:00.000Z", "2028-10-27T06:00:00.000Z"),
            ("EST5EDT,59/0,299/26:30:15", "2028-02-29T05:00:00.000Z", "2028-10-27T06:30:15.000Z"),
        ])
    func posix(rule: String, first: String, second: String) throws {
        let zone = try #require(ZoneRules(name: "x", posix: rule))
        let start = try #require(zone.transition(after: WallTime("\(first.prefix(4))-01-10T00:00:00Z")))
        #expect(start.time.description == first)
        #expect(zone.transition(after: start.time)?.time.description == second)
    }

    @Test("summer time all year long has no change in it")
    func permanentDaylight() throws {
        let zone = try #require(ZoneRules(name: "x", posix: "XXX3EDT4,0/0,J365/23"))
        for time in ["2026-01-01T03:00:00Z", "2026-07-01T00:00:00Z", "2027-01-01T02:59:59Z"] {
            #expect(zone.offset(at: WallTime(time)).abbreviation == "EDT")
        }
    }

    @Test(
        "a rule that is none is refused",
        arguments: ["", "CET", "X1", "CET-1CEST", "CET-1CEST,M13.5.0,M10.5.0", "CET-1CEST,M3.5.0", "CET-1,", "<CET-1"])
    func brokenRule(rule: String) { #expect(ZoneRules(name: "x", posix: rule) == nil) }

    @Test("a file that is cut or damaged anywhere is refused or read, but never crashes")
    func brokenFile() throws {
        #expect(ZoneRules(name: "x", tzif: []) == nil)
        #expect(ZoneRules(name: "x", tzif: Array("TZif2".utf8)) == nil)
        var header = Array("TZif2".utf8) + [UInt8](repeating: 0, count: 15) + [UInt8](repeating: 0xFF, count: 24)
        #expect(ZoneRules(name: "x", tzif: header) == nil)
        header[4] = 0
        #expect(ZoneRules(name: "x", tzif: header) == nil)
    }

    @Test("the 32-bit block of a version 1 file is enough")
    func versionOne() throws {
        // RFC 9636 §3: no leap seconds, one transition at second 1000 from type 0 to type 1, names "AAA\0BBB\0".
        let counts: [UInt8] = [0, 0, 0, 1, 2, 8].flatMap { [0, 0, 0, $0] }
        let types: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 0, 0x0E, 0x10, 1, 4]
        let head = Array("TZif".utf8) + [UInt8](repeating: 0, count: 16) + counts
        let zone = try #require(
            ZoneRules(name: "x", tzif: head + [0, 0, 0x03, 0xE8, 1] + types + Array("AAA\0BBB\0".utf8)))
        #expect(zone.offset(at: WallTime(milliseconds: 999_999)).abbreviation == "AAA")
        #expect(zone.offset(at: WallTime(milliseconds: 1_000_000)).seconds == 3600)
    }
}
