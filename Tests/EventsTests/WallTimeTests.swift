import Events
import Testing

@Suite struct WallTimeTests {
    @Test(
        "an RFC 3339 date-time is an instant",
        arguments: [
            ("1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000Z"),
            ("2026-12-24T18:00:00+01:00", "2026-12-24T17:00:00.000Z"),
            ("2026-01-01T00:30:00+05:45", "2025-12-31T18:45:00.000Z"),
            ("2028-02-29t23:59:59.25z", "2028-02-29T23:59:59.250Z"),
            ("2026-06-30T12:00:00.123456789-03:30", "2026-06-30T15:30:00.123Z"),
        ])
    func instants(_ text: String, utc: String) { #expect(WallTime(rfc3339: text)?.description == utc) }

    @Test(
        "anything else is none",
        arguments: [
            "", "2026-12-24", "2026-12-24T18:00:00", "2026-12-24 18:00:00Z", "2026-12-24T18:00Z",
            "2026-13-01T00:00:00Z", "2026-02-29T00:00:00Z", "2026-04-31T00:00:00Z", "2026-01-00T00:00:00Z",
            "2026-01-01T24:00:00Z", "2026-01-01T00:60:00Z", "2026-01-01T00:00:60Z", "2026-01-01T00:00:00.Z",
            "2026-01-01T00:00:00+1:00", "2026-01-01T00:00:00+01:60", "2026-01-01T00:00:00Z ", "26-01-01T00:00:00Z",
        ])
    func notInstants(_ text: String) { #expect(WallTime(rfc3339: text) == nil) }

    @Test("what it writes it reads", arguments: [0, -1, 1_795_222_800_123, -62_135_596_800_000])
    func roundTrip(_ milliseconds: Int64) {
        let time = WallTime(milliseconds: milliseconds)
        #expect(WallTime(rfc3339: time.description) == time)
    }

    @Test(
        "a year has four digits, or as many as it needs",
        arguments: [
            (-62_167_219_200_001, "-1-12-31T23:59:59.999Z"), (-62_167_219_200_000, "0000-01-01T00:00:00.000Z"),
            (253_402_300_800_000, "10000-01-01T00:00:00.000Z"), (.max, "292278994-08-17T07:12:55.807Z"),
        ])
    func years(_ milliseconds: Int64, text: String) {
        #expect(WallTime(milliseconds: milliseconds).description == text)
    }

    @Test("what is less than a millisecond is left out, on both sides of zero")
    func rounding() {
        #expect(Duration.microseconds(1999).milliseconds == 1)
        #expect(Duration.microseconds(-1999).milliseconds == -1)
        #expect(WallTime(milliseconds: 10).advanced(by: .microseconds(-1999)).milliseconds == 9)
        #expect((Duration.nanoseconds(-3) / 2).nanoseconds == -1)
    }

    @Test(
        "nanoseconds and milliseconds of times short and long",
        arguments: [0, 1, -1, 4722, 4723, 5000, -5000, 302_231, 302_232, -302_232, 9_000_000_000])
    func units(_ seconds: Int64) {
        #expect(Duration.seconds(seconds).milliseconds == seconds * 1000)
        #expect((Duration.seconds(seconds) + .milliseconds(7)).milliseconds == seconds * 1000 + 7)
        #expect(Duration.seconds(seconds).nanoseconds == seconds * 1_000_000_000)
        #expect((Duration.seconds(seconds) + .nanoseconds(7)).nanoseconds == seconds * 1_000_000_000 + 7)
    }
}
