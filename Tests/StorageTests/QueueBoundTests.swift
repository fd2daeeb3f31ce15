import Events
import Storage
import Testing

@Suite("Bounds of the queue")
struct QueueBoundTests {
    @Test("what finds no room is refused as a whole, and says which queue is full")
    func count() async throws {
        try await withStore { (store, _) async throws in
            store.setBounds(["f": QueueBounds(waiting: 3)])
            _ = try await store.enqueue([.sample("1"), .sample("2")])
            let refusal = await #expect(throws: QueueFull.self) {
                _ = try await store.enqueue([.sample("3"), .sample("4")])
            }
            #expect(refusal?.function == "f")
            #expect(try await store.queueCounts()["f"]?.waiting == 2 && store.hasRoom(for: "f"))
            _ = try await store.enqueue([.sample("5")])
            #expect(!store.hasRoom(for: "f") && store.hasRoom(for: "g"))
            _ = try await store.runOne()
            #expect(store.hasRoom(for: "f"))
        }
    }

    @Test("data counts while it waits or runs")
    func bytes() async throws {
        try await withStore { (store, _) async throws in
            store.setBounds(["f": QueueBounds(bytes: 100)])
            let large = [UInt8](repeating: 1, count: 60)
            _ = try await store.enqueue([.sample("1", data: large)])
            await #expect(throws: QueueFull.self) { _ = try await store.enqueue([.sample("2", data: large)]) }
            let leased = try #require(try await store.lease(function: "f", limit: 1, now: .at(0)).first)
            await #expect(throws: QueueFull.self) { _ = try await store.enqueue([.sample("2", data: large)]) }
            _ = try await store.commit(Commit(effects: nil, settle: (leased.lease, .done)))
            #expect(try await store.enqueue([.sample("2", data: large)]) == 1)
        }
    }

    @Test("effects whose message finds no room are not applied")
    func commit() async throws {
        try await withStore { (store, _) async throws in
            store.setBounds(["f": QueueBounds(waiting: 1)])
            _ = try await store.enqueue([.sample("1")])
            var effects = Effects.writing(["k": .set([1])])
            effects.messages = [.sample("2")]
            await #expect(throws: QueueFull.self) { _ = try await store.commit(Commit(effects: effects)) }
            #expect(try await store.text("k") == nil)
            #expect(try await store.queueCounts()["f"]?.enqueued == 1)
        }
    }

    @Test("an instant of a timer that finds no room is not handled, and fires when there is some")
    func timer() async throws {
        try await withStore { (store, _) async throws in
            store.setBounds(["f": QueueBounds(waiting: 1)])
            _ = try await store.enqueue([.sample("1")])
            #expect(try await store.fire(timer: "t", due: .at(1), invocation: .sample("2"), skipIfBusy: false) == .full)
            #expect(try await store.timers()["t"] == nil)
            _ = try await store.runOne()
            let result = try await store.fire(timer: "t", due: .at(1), invocation: .sample("2"), skipIfBusy: false)
            #expect(result == .enqueued)
        }
    }

    @Test("a file change that finds no room stays to be told")
    func file() async throws {
        try await withStore { (store, _) async throws in
            store.setBounds(["f": QueueBounds(waiting: 1)])
            _ = try await store.enqueue([.sample("1")])
            let stamp = FileStamp(size: 1, modified: 1, inode: 1)
            await #expect(throws: QueueFull.self) {
                try await store.recordFiles(trigger: "t", changes: ["a": stamp], invocations: [.sample("2")])
            }
            #expect(try await store.fileIndex(trigger: "t") == nil)
        }
    }

    @Test("counts are those of the units that stay, also beside one in the same transaction that is undone")
    func undone() async throws {
        try await withStore { (store, _) async throws in
            store.setBounds(["f": QueueBounds(waiting: 50)])
            await withTaskGroup { group in
                for index in 0..<120 {
                    group.addTask { _ = try? await store.enqueue([.sample("\(index)", data: [1])]) }
                }
            }
            let counts = try #require(try await store.queueCounts()["f"])
            #expect(counts.waiting == 50 && counts.enqueued == 50 && counts.bytes == 50)
            #expect(try await store.lease(function: "f", limit: 99, now: .at(1)).count == 50)
        }
    }
}
