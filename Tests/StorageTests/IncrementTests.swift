import Events
import Storage
import Testing

@Suite("Increments")
struct IncrementTests {
    @Test("increments of many callers add up without a conflict")
    func commute() async throws {
        try await withStore { (store, _) async throws in
            let results = try await withThrowingTaskGroup(of: CommitResult.self) { group in
                for step in 1...100 {
                    group.addTask { try await store.commit(Commit(effects: .writing(["n": .increment(Int64(step))]))) }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(results.allSatisfy { $0 == .committed })
            #expect(try await store.text("n") == "5050")
        }
    }

    @Test("what is not a number or leaves its range is refused", arguments: ["x", "", "1.5", "9223372036854775807"])
    func notANumber(_ text: String) async throws {
        try await withStore { (store, _) async throws in
            try await store.put("n", text)
            let error = await #expect(throws: StateError.self) {
                try await store.commit(Commit(effects: .writing(["n": .increment(1), "m": .set([1])])))
            }
            #expect(error?.code == .notANumber)
            #expect(try await store.text("n") == text)
            #expect(try await store.text("m") == nil)
        }
    }

    @Test("one bad unit does not harm its neighbours")
    func neighbours() async throws {
        try await withStore { (store, _) async throws in
            try await store.put("bad", "not a number")
            let failures = try await withThrowingTaskGroup(of: Bool.self) { group in
                for index in 0..<90 {
                    group.addTask {
                        let key = index % 3 == 0 ? "bad" : "good"
                        let effects = Effects.writing([StateKey(key): .increment(1), "all": .increment(1)])
                        do { _ = try await store.commit(Commit(effects: effects)) } catch is StateError { return true }
                        return false
                    }
                }
                return try await group.reduce(0) { $0 + ($1 ? 1 : 0) }
            }
            #expect(failures == 30)
            #expect(try await store.text("good") == "60")
            #expect(try await store.text("all") == "60")
            #expect(try await store.text("bad") == "not a number")
        }
    }
}
