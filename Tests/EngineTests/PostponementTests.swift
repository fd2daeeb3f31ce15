import Engine
import Events
import Testing

@Suite("Until when an invocation is put off")
struct PostponementTests {
    /// 2027-01-15T08:00:00Z
    private static let now = WallTime(milliseconds: 1_800_000_000_000)

    @Test("for a time or until one, and a year at most")
    func times() throws {
        func due(after: String? = nil, at: String? = nil) throws -> WallTime {
            try Postponement(after: after, at: at).due(now: Self.now)
        }
        #expect(try due() == Self.now)
        #expect(try due(after: "0s") == Self.now)
        #expect(try due(after: "1m30s") == Self.now.advanced(by: .seconds(90)))
        #expect(try due(at: "2027-01-15T09:00:10+01:00") == Self.now.advanced(by: .seconds(10)))
        #expect(try due(after: "366d") == Self.now.advanced(by: Postponement.longest))
        #expect(try due(at: "2028-01-16T08:00:00Z") == Self.now.advanced(by: Postponement.longest))
    }

    @Test(
        "what names no such time, or one that is too far away, is refused",
        arguments: [
            ("1s", "2027-01-15T09:00:10Z", .twice), ("soon", nil, .noDuration), ("-1s", nil, .noDuration),
            ("", nil, .noDuration), (nil, "tomorrow", .noTime), (nil, "2027-01-16", .noTime),
            ("366d1ms", nil, .tooLong), ("99999999999d", nil, .tooLong), (nil, "2028-01-16T08:00:00.001Z", .tooLong),
        ] as [(String?, String?, Postponement.Refusal)])
    func refused(after: String?, at: String?, refusal: Postponement.Refusal) {
        #expect(throws: refusal) { try Postponement(after: after, at: at).due(now: Self.now) }
    }
}
