import Events
import Foundation
import Storage
import Support
import Synchronization
import Testing

/// What the queue costs must not depend on how much is in it.
///
/// `APUS_SCALE=1000000 swift test --filter ScaleTests` measures that many against a thousand, by the clock, and prints
/// what it finds; usually steps of SQLite's virtual machine are compared, which no load of the machine disturbs.
@Suite("A long queue")
struct ScaleTests {
    @Test("costs each verb as much as a short one")
    func steps() async throws {
        let short = try await QueueCost.measure(queued: 1000)
        let long = try await QueueCost.measure(queued: 20_000)
        #expect(short.steps.count >= 7)
        for (verb, steps) in short.steps {
            let grown = try #require(long.steps[verb])
            #expect(grown <= steps + steps / 4 + 20, "\(verb): \(steps) steps, then \(grown)")
        }
    }

    @Test(
        "of a million takes no more time and no more memory",
        .enabled(if: ProcessInfo.processInfo.environment["APUS_SCALE"] != nil))
    func million() async throws {
        let count = ProcessInfo.processInfo.environment["APUS_SCALE"].flatMap { Int($0) } ?? 1_000_000
        let short = try await QueueCost.measure(queued: 1000)
        let long = try await QueueCost.measure(queued: count)
        for (verb, time) in short.times.sorted(by: { $0.key < $1.key }) {
            let grown = try #require(long.times[verb])
            print("\(verb): \(time) with 1000 queued, \(grown) with \(count)")
            #expect(grown < time * 1.5 + .microseconds(50), "\(verb)")
        }
        print("memory: \(short.memory >> 20) MiB with 1000 queued, \(long.memory >> 20) MiB with \(count)")
        #expect(long.memory < short.memory + 32 << 20)
    }
}

/// What each verb takes with so many queued.
private struct QueueCost {
    var steps: [String: Int] = [:]
    /// The median.
    var times: [String: Duration] = [:]
    /// Bytes that the process keeps in memory.
    var memory = 0

    private static let rounds = 31

    static func measure(queued count: Int) async throws -> QueueCost {
        try await withTemporaryFolder { folder in
            let counter = StepCounter()
            let store = try Store(
                directory: folder, pragmas: ["synchronous = OFF"], profile: { counter.add($1) })
            store.setBounds(["f": QueueBounds(waiting: .max, bytes: .max)])
            try await fill(store, count)
            var cost = QueueCost()
            for round in 0..<rounds { try await cost.measureVerbs(of: store, round, counter) }
            cost.memory = try residentBytes()
            try store.close()
            return cost
        }
    }

    /// A third is not due yet, and a third is urgent.
    private static func fill(_ store: Store, _ count: Int) async throws {
        for start in stride(from: 0, to: count, by: 1000) {
            let numbers = start..<min(start + 1000, count)
            _ = try await store.enqueue(numbers.map { event($0) })
        }
    }

    private static func event(_ number: Int) -> NewInvocation {
        let due: WallTime = number % 3 == 0 ? .at(1_000_000_000) : .at(Int64(number))
        let urgency = number % 3 == 1 ? 1 : NewInvocation.usualUrgency
        let data = [UInt8](repeating: 1, count: 100)
        return .sample("\(number)", trigger: "f/topic/0", due: due, urgency: urgency, data: data)
    }

    private mutating func measureVerbs(of store: Store, _ round: Int, _ counter: StepCounter) async throws {
        let now = WallTime.at(900_000_000)
        try await measure("enqueue", counter) {
            _ = try await store.enqueue((0..<10).map { .sample("new-\(round)-\($0)", due: .at(5)) })
        }
        var leased: [LeasedInvocation] = []
        try await measure("lease", counter) {
            leased = try await store.lease(function: "f", limit: 10, now: now)
        }
        #expect(leased.count == 10)
        try await measure("settle", counter) {
            for one in leased { _ = try await store.commit(Commit(effects: nil, settle: (one.lease, .done))) }
        }
        try await measure("next due", counter) { _ = try await store.nextDue() }
        try await measure("counts", counter) { _ = try await store.queueCounts() }
        try await measure("recent", counter) {
            _ = try await store.recent(function: "f", state: .waiting, limit: 20)
        }
        try await measure("record", counter) { _ = try await store.record(of: leased[0].invocation.id) }
        if round == Self.rounds - 1 { times = samples.mapValues { $0.sorted()[$0.count / 2] } }
    }

    private var samples: [String: [Duration]] = [:]

    private mutating func measure(_ verb: String, _ counter: StepCounter, _ body: () async throws -> Void) async throws
    {
        counter.reset()
        let start = ContinuousClock.now
        try await body()
        samples[verb, default: []].append(.now - start)
        steps[verb] = counter.count
    }

    private static func residentBytes() throws -> Int {
        let pages = try String(contentsOfFile: "/proc/self/statm", encoding: .utf8).split(separator: " ")
        return (Int(pages[1]) ?? 0) * Int(getpagesize())
    }
}

private final class StepCounter: Sendable {
    private let steps = Mutex(0)

    var count: Int { steps.withLock { $0 } }

    func add(_ count: Int) { steps.withLock { $0 += count } }

    func reset() { steps.withLock { $0 = 0 } }
}
