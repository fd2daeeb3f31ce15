import Testing
import Threads

@Suite("Courtesy before sleep")
struct CourtesyTests {
    private static let quick: Int64 = 100_000
    private static let slice: Int64 = 3_000_000

    private var courtesy = Courtesy()
    private var now: Int64 = 0

    /// Yields as soon as it may, and returns how long it had to wait until then.
    private mutating func yield(for time: Int64) -> Int64 {
        var wait: Int64 = 0
        while !courtesy.isDue(now + wait) { wait += 1_000_000 }
        now += wait
        courtesy.hasYielded(since: now, until: now + time)
        now += time
        return wait
    }

    @Test("yields each time while others give the processor back")
    mutating func quickly() {
        for _ in 0..<1000 {
            let wait = yield(for: Self.quick)
            #expect(wait == 0)
        }
    }

    @Test("bears one long yield in seventeen")
    mutating func rarely() {
        for turn in 0..<1700 {
            let wait = yield(for: turn % 17 == 0 ? Self.slice : Self.quick)
            #expect(wait == 0)
        }
    }

    @Test("gives a program that uses up the processor less than a hundredth of the time")
    mutating func used() {
        for _ in 0..<100 { _ = yield(for: Self.slice) }
        let wait = yield(for: Self.slice)
        #expect(wait > 100 * Self.slice)
        #expect(wait < 2_000_000_000)
    }

    @Test("rests also when every other yield is a long one")
    mutating func often() {
        var (waited, lost): (Int64, Int64) = (0, 0)
        for turn in 0..<1000 {
            let isLong = turn % 2 == 0
            waited += yield(for: isLong ? Self.slice : Self.quick)
            if isLong { lost += Self.slice }
        }
        #expect(waited > 100 * lost)
    }

    @Test("yields each time again once the processor is free")
    mutating func afterwards() {
        for _ in 0..<100 { _ = yield(for: Self.slice) }
        _ = yield(for: Self.quick)
        for _ in 0..<600 {
            let wait = yield(for: Self.quick)
            #expect(wait == 0)
        }
    }

    @Test("rests for seconds, not hours, after the whole process was stopped for minutes")
    mutating func stopped() {
        for _ in 0..<3 { _ = yield(for: Self.slice) }
        let wait = yield(for: 600_000_000_000)
        #expect(wait > 0)
        #expect(wait <= 60_000_000_000)
    }
}
