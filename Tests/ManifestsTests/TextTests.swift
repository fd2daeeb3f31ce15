import Manifests
import Testing

@Suite struct QuantityTests {
    @Test(
        "durations are whole numbers with units, the longest first",
        arguments: [
            ("0s", 0), ("200ms", 200), ("10s", 10_000), ("15m", 900_000), ("24h", 86_400_000), ("7d", 604_800_000),
            ("1h30m", 5_400_000), ("1d2h3m4s5ms", 93_784_005), ("90m", 5_400_000),
        ])
    func durations(_ text: String, milliseconds: Int64) {
        #expect(Quantity.duration(text) == .milliseconds(milliseconds))
    }

    @Test(
        "what is no duration is refused",
        arguments: [
            "", "10", "s", "1.5s", "-1s", "+1s", "10 s", " 1s", "1s ", "10S", "1m1h", "1s1s", "1w", "1sm", "٣s",
            "9999999999999999999s", "99999999999999999d",
        ])
    func notDurations(_ text: String) { #expect(Quantity.duration(text) == nil) }

    @Test("a duration's text reads as the same duration", arguments: [0, 1, 999, 1000, 61_001, 86_400_000, 93_784_005])
    func durationText(_ milliseconds: Int64) {
        let duration = Duration.milliseconds(milliseconds)
        #expect(Quantity.duration(Quantity.text(duration)) == duration)
    }

    @Test(
        "sizes are bytes, or have a decimal or binary unit",
        arguments: [
            ("0", 0), ("1024", 1024), ("1B", 1), ("5kB", 5000), ("5KB", 5000), ("1MB", 1_000_000),
            ("1GB", 1_000_000_000), ("2TB", 2_000_000_000_000), ("1KiB", 1024), ("256MiB", 268_435_456),
            ("1GiB", 1_073_741_824), ("1TiB", 1_099_511_627_776),
        ])
    func sizes(_ text: String, bytes: Int64) {
        #expect(Quantity.size(text) == bytes)
        #expect(Quantity.size(Quantity.text(size: bytes)) == bytes)
    }

    @Test(
        "what is no size is refused",
        arguments: ["", "MiB", "1.5GB", "-1", "1 MB", "1mib", "1M", "1MiBs", "1MiB1KiB", "9999999999GiB"])
    func notSizes(_ text: String) { #expect(Quantity.size(text) == nil) }
}

@Suite struct RoutePatternTests {
    @Test("a path is literals and parameters")
    func segments() throws {
        #expect(try RoutePattern("/").segments == [])
        #expect(try RoutePattern("/orders").segments == [.literal("orders")])
        #expect(try RoutePattern("/a/{b}/c/{d?}").segments.last == .optional("d"))
        #expect(try RoutePattern("/{rest*}").segments == [.rest("rest")])
        #expect(
            try RoutePattern("/käse/{a-b_1}/x.y~z").segments == [
                .literal("käse"), .parameter("a-b_1"), .literal("x.y~z"),
            ])
        #expect(try RoutePattern("/a/{b}").description == "/a/{b}")
    }

    @Test(
        "a path that is none says where it breaks",
        arguments: [
            ("", 0), ("orders", 0), ("//", 1), ("/a/", 3), ("/a//b", 3), ("/a b", 2), ("/ä%20", 2), ("/a?b", 2),
            ("/a#b", 2), ("/a/.", 3), ("/../a", 1), ("/{a}b", 1), ("/b{a}", 1), ("/{a}{b}", 1), ("/{", 1), ("/}", 1),
            ("/{}", 1), ("/{?}", 1), ("/{1}", 1), ("/{ä}", 1), ("/{a?}/b", 1), ("/{a*}/b", 1), ("/{a}/{a}", 5),
            ("/{a?*}", 1), ("/\u{2003}", 1), ("/a\\b", 2), ("/a\tb", 2),
        ])
    func broken(_ text: String, offset: Int) {
        let error = #expect(throws: RouteError.self) { try RoutePattern(text) }
        #expect(error?.offset == offset)
    }
}
