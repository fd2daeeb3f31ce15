import Dispatch
import Events
import Storage
import Support
import Synchronization
import Testing

@Suite("What is new in the queue")
struct NewRowsTests {
    private static func requests(_ count: Int) -> [NewInvocation] {
        (0..<count).map { _ in QueuedRequestTests.request() }
    }

    @Test("goes in with few statements, and comes out in the order in which it came")
    func together() async throws {
        try await withTemporaryFolder { folder in
            let insertions = Mutex(0)
            let store = try Store(
                directory: folder + "/data",
                trace: { sql in if sql.contains("INTO invocation") { insertions.withLock { $0 += 1 } } })
            let requests = Self.requests(40)
            #expect(try await store.enqueue(requests) == 40)
            #expect(insertions.withLock { $0 } == 3)
            let leased = try await store.lease(function: "f", limit: 99, now: .at(1))
            #expect(leased.map(\.invocation) == requests)
            try store.close()
        }
    }

    @Test("comes before what is in a line, and after it, as it was enqueued")
    func order() async throws {
        try await withStore { (store, _) async throws in
            var invocations = Self.requests(5)
            invocations[1].line = "line"
            invocations[3].mayRepeat = true
            #expect(try await store.enqueue(invocations) == 5)
            let leased = try await store.lease(function: "f", limit: 99, now: .at(1))
            #expect(leased.map(\.invocation.id) == invocations.map(\.id))
        }
    }

    @Test("is there for whoever comes next in the same transaction")
    func seen() async throws {
        try await withHaltingStore { store, running, others async throws in
            let before = store.statistics.commits
            let requests = Self.requests(3)
            async let enqueued = store.enqueue(requests)
            #expect(await eventually { running.wait(timeout: .now()) == .success })
            async let leased = store.lease(function: "f", limit: 99, now: .at(1))
            #expect(await eventually { store.statistics.waiting == 1 })
            others.signal()
            let (count, found) = try await (enqueued, leased)
            #expect(count == 3 && found.map(\.invocation) == requests)
            #expect(store.statistics.commits - before == 1)
        }
    }

    @Test("that was there before counts once, and its neighbours are whole")
    func repeated() async throws {
        try await withStore { (store, _) async throws in
            let requests = Self.requests(3)
            _ = try await store.enqueue([requests[1]])
            #expect(try await store.enqueue(requests) == 2)
            #expect(try await store.queueCounts()["f"]?.enqueued == 3)
            #expect(try await store.lease(function: "f", limit: 99, now: .at(1)).count == 3)
        }
    }

    @Test("leaves nothing when its unit fails, and its neighbours are whole")
    func failing() async throws {
        try await withHaltingStore { store, running, others async throws in
            store.setBounds(["f": QueueBounds(waiting: 2)])
            async let first = store.enqueue(Self.requests(1))
            #expect(await eventually { running.wait(timeout: .now()) == .success })
            let second = Task { try await store.enqueue(Self.requests(2)) }
            #expect(await eventually { store.statistics.waiting == 1 })
            // Both run once more, since the second had put something into the queue when it failed.
            for _ in 0..<4 { others.signal() }
            let count = try await first
            #expect(count == 1)
            await #expect(throws: QueueFull.self) { try await second.value }
            #expect(try await store.lease(function: "f", limit: 99, now: .at(1)).count == 1)
        }
    }
}
