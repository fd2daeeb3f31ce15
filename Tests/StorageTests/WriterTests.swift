import Dispatch
import Events
import Storage
import Support
import Testing

@Suite("Writer")
struct WriterTests {
    @Test("many callers share a commit")
    func groups() async throws {
        try await withStore { (store, _) async throws in
            try await withThrowingTaskGroup { group in
                for index in 0..<2000 { group.addTask { try await store.put("k\(index)", "v") } }
                try await group.waitForAll()
            }
            let statistics = store.statistics
            #expect(statistics.units == 2000 && statistics.waiting == 0)
            #expect(statistics.commits < 1000)
            #expect(try store.scan(prefix: "k", after: nil, limit: 9999, in: "n").count == 2000)
        }
    }

    @Test("who comes while a transaction runs shares its commit")
    func joining() async throws {
        try await withHaltingStore { store, running, others in
            let before = store.statistics
            async let first: Void = store.put("a", "1")
            #expect(await eventually { running.wait(timeout: .now()) == .success })
            async let second: Void = store.put("b", "2")
            #expect(await eventually { store.statistics.waiting == 1 })
            for _ in 0..<2 { others.signal() }
            _ = try await (first, second)
            #expect(store.statistics.units - before.units == 2 && store.statistics.commits - before.commits == 1)
            #expect(try await [store.text("a"), store.text("b")] == ["1", "2"])
        }
    }

    @Test("who joins a transaction and fails leaves nothing in it, and the others are whole")
    func failingJoiner() async throws {
        try await withHaltingStore { store, running, others in
            store.setBounds(["full": QueueBounds(waiting: 0)])
            async let first: Void = store.put("a", "1")
            #expect(await eventually { running.wait(timeout: .now()) == .success })
            var effects = Effects.writing(["b": .set([2])])
            effects.messages = [.sample("1", function: "full")]
            let second = Task { [effects] in try await store.commit(Commit(effects: effects)) }
            #expect(await eventually { store.statistics.waiting == 1 })
            // Both run once more, since the second had changed something when it failed.
            for _ in 0..<8 { others.signal() }
            try await first
            await #expect(throws: QueueFull.self) { try await second.value }
            #expect(try await [store.text("a"), store.text("b")] == ["1", nil])
        }
    }

    @Test("a unit that fails after it has changed something leaves nothing, and its neighbours are whole")
    func failing() async throws {
        try await withStore { (store, folder) async throws in
            try await store.put("text", "no number")
            store.setBounds(["full": QueueBounds(waiting: 0)])
            let results = try await withThrowingTaskGroup(of: Bool.self) { group in
                for index in 0..<600 {
                    group.addTask {
                        var effects = Effects.writing(["n": .increment(1), "k\(index)": .set([1])])
                        effects.messages = [.sample("\(index)")]
                        // One fails while it writes, one when all is written, in an order that varies.
                        let wrong = Effects.KeyWrite("text", .increment(1))
                        if index % 7 == 0 { effects.writes.insert(wrong, at: index % 3) }
                        if index % 11 == 0 { effects.messages.append(.sample("\(index)", function: "full")) }
                        do {
                            return try await store.commit(Commit(effects: effects)) == .committed
                        } catch is StateError { return false } catch is QueueFull { return false }
                    }
                }
                return try await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
            }
            let expected = (0..<600).count { $0 % 7 != 0 && $0 % 11 != 0 }
            #expect(results == expected)
            #expect(try await store.text("n") == String(expected))
            #expect(try store.scan(prefix: "k", after: nil, limit: 999, in: "n").count == expected)
            let counts = try await store.queueCounts()
            #expect(counts["f"]?.enqueued == expected && counts["f"]?.waiting == expected && counts["full"] == nil)
            try store.close()
            try await reopening(folder) { (store) async throws in
                #expect(try await store.queueCounts()["f"]?.waiting == expected)
            }
        }
    }

    @Test("nothing is left in memory of what has been committed")
    func memory() async throws {
        try await withStore { (store, _) async throws in
            let requests = try await withThrowingTaskGroup { group in
                for index in 0..<100 {
                    group.addTask { () async throws in
                        let request = RequestHead(method: "GET", path: "/a/path/of/some/length/\(index)")
                        var effects = Effects.writing(["k": .set([1])])
                        effects.messages = [.sample("\(index)", request: request)]
                        _ = try await store.commit(Commit(effects: effects))
                        return WeakRequest(head: request)
                    }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(await eventually { requests.allSatisfy { $0.head == nil } })
        }
    }

    @Test("a caller who is cancelled gets its result, and the unit is whole")
    func cancellation() async throws {
        try await withStore { (store, _) async throws in
            let tasks = (0..<200).map { index in
                Task {
                    let effects = Effects.writing(["a\(index)": .set([1]), "b\(index)": .set([1]), "n": .increment(1)])
                    return try await store.commit(Commit(effects: effects))
                }
            }
            for task in tasks { task.cancel() }
            for task in tasks { #expect(try await task.value == .committed) }
            #expect(try await store.text("n") == "200")
            #expect(try store.scan(prefix: "", after: nil, limit: 999, in: "n").count == 401)
        }
    }

    @Test("a reader that is cancelled reads all the same")
    func cancelledReader() async throws {
        try await withStore { (store, _) async throws in
            try await store.put("k", "v")
            let task = Task {
                withUnsafeCurrentTask { $0?.cancel() }
                return try await store.text("k")
            }
            #expect(try await task.value == "v")
        }
    }

    @Test("closing waits for what was asked for and refuses what comes later")
    func closing() async throws {
        try await withStore { (store, folder) async throws in
            let results = try await withThrowingTaskGroup(of: Bool.self) { group in
                for _ in 0..<300 {
                    group.addTask {
                        do {
                            return try await store.commit(Commit(effects: .writing(["n": .increment(1)]))) == .committed
                        } catch let error as StorageError where error.code == .closed { return false }
                    }
                }
                group.addTask {
                    try store.close()
                    return false
                }
                return try await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
            }
            let read = #expect(throws: StorageError.self) { try store.value("n", in: "n") }
            #expect(read?.code == .closed)
            try await reopening(folder) { (store) async throws in
                #expect(try await store.text("n") ?? "0" == String(results))
            }
        }
    }

    @Test("a store that nobody holds is closed, also while its writer still answers others")
    func lettingGo() async throws {
        let verbs: [@Sendable (Store) async throws -> Void] = [
            { _ = try await $0.enqueue([.sample("1")]) },
            { _ = try await $0.cancel(InvocationID(), reason: "") },
            { _ = try await $0.fire(timer: "t", due: .at(1), invocation: .sample("2"), skipIfBusy: false) },
            { try await $0.recordFiles(trigger: "t", changes: [:], invocations: [.sample("3")]) },
            { _ = try await $0.reviveDead(InvocationID()) },
            { _ = try await $0.reviveDead(DeadFilter(function: "f")) },
            { _ = try await $0.dropDead(InvocationID()) },
            { _ = try await $0.dropDead(DeadFilter(function: "f")) },
        ]
        try await withTemporaryFolder { folder in
            for verb in verbs {
                try await letGo(folder, after: verb)
                // Its lock is free.
                try Store(directory: folder).close()
            }
        }
    }

    /// Lets go of a store when `verb` has been answered, and another unit of its transaction has not.
    private func letGo(_ folder: String, after verb: @escaping @Sendable (Store) async throws -> Void) async throws {
        let store = try Store(directory: folder)
        let (gathered, never) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
        // The writer waits until both are there, so that it takes them together.
        store.commit(Commit(effects: nil)) { _ in gathered.wait() }
        #expect(await eventually { store.statistics.units == 1 })
        async let done: Void = verb(store)
        #expect(await eventually { store.statistics.waiting == 1 })
        // Nobody could say when it is time to end: who lets go of the store waits for this. A short time makes the test
        // blind, and no more.
        store.commit(Commit(effects: nil)) { _ in _ = never.wait(timeout: .now() + .milliseconds(100)) }
        gathered.signal()
        try await done
    }

    @Test("what does not fit on the disk fails as `full`, and the rest goes on")
    func fullDisk() async throws {
        try await withTemporaryFolder { folder in
            let store = try Store(directory: folder, pragmas: ["max_page_count = 100"])
            try await store.put("small", "1")
            let effects = Effects.writing(["large": .set([UInt8](repeating: 1, count: 1 << 20)), "n": .increment(1)])
            let error = await #expect(throws: StorageError.self) { try await store.commit(Commit(effects: effects)) }
            #expect(error?.code == .full)
            #expect(try store.value("n", in: "n") == nil)
            try await store.put("small", "2")
            #expect(try await store.text("small") == "2")
            try store.close()
        }
    }

    @Test("all that was acknowledged is in a copy of the files, wherever that cuts the log")
    func crash() async throws {
        try await withTemporaryFolder { folder in
            // Without checkpoints the database file rests, so that two copies one after the other show one instant.
            let store = try Store(directory: folder + "/live", pragmas: ["wal_autocheckpoint = 0"])
            let writing = Task {
                var acknowledged = 0
                while !Task.isCancelled {
                    let effects = Effects.writing(["n": .increment(1), "m": .increment(1)])
                    _ = try await store.commit(Commit(effects: effects))
                    acknowledged += 1
                }
                return acknowledged
            }
            for round in 1...5 {
                #expect(try await eventually { Int(try await store.text("n") ?? "0") ?? 0 >= round * 20 })
                let acknowledged = try #require(Int(try await store.text("n") ?? ""))
                let copy = try copyOfDatabase(from: folder + "/live", to: folder + "/copy\(round)")
                try await reopening(copy) { (store) async throws in
                    let number = try #require(Int(try await store.text("n") ?? ""))
                    #expect(number >= acknowledged)
                    #expect(try await store.text("m") == String(number))
                }
            }
            writing.cancel()
            let acknowledged = try await writing.value
            #expect(try await store.text("n") == String(acknowledged))
            try store.close()
        }
    }
}

private struct WeakRequest: Sendable {
    weak let head: RequestHead?
}
