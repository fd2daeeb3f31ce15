import Events
import Logging
import Storage
import Support
import Testing
import Wire

@testable import Engine

@Suite("The state of one run")
struct InvocationStateTests {
    private func with(_ body: (InvocationState, Store) async throws -> Void) async throws {
        try await withTemporaryFolder { folder in
            let store = try Store(directory: folder)
            let engine = InvocationEngine(store: store, logger: Logger(label: "test"))
            engine.subscriptions.replace([.shell("")])
            let invocation = Invocation(function: "f", cause: .request(RequestHead(method: "GET", path: "/")))
            let state = InvocationState(invocation, in: "n", engine: engine)
            try await body(state, store)
            try store.close()
        }
    }

    private let tooLarge = StateOperation.set(key: "b", value: [UInt8](repeating: 0, count: (1 << 20) + 1))

    @Test("a block with a write that was refused does not commit the others")
    func refusedWrite() async throws {
        try await with { state, store async throws in
            _ = try state.operate(1, .set(key: "a", value: [1])).get()
            let refusal = state.operate(1, tooLarge)
            #expect(throws: StateError.self) { try refusal.get() }
            #expect(await state.commit(1) == refusal)
            #expect(try store.value("a", in: "n") == nil)
            // The scope begins anew.
            _ = try state.operate(1, .set(key: "a", value: [2])).get()
            #expect(await state.commit(1) == .success(.done))
            #expect(try store.value("a", in: "n")?.value == [2])
        }
    }

    @Test("what a worker looks up is what its namespace holds, and is checked at the commit")
    func lookUp() async throws {
        try await with { state, store async throws in
            func write(_ value: UInt8, in namespace: String = "n") async throws {
                var effects = Effects(namespace: namespace)
                effects.writes.append(Effects.KeyWrite("a", .set([value])))
                _ = try await store.commit(Commit(effects: effects))
            }
            #expect(state.values == nil)
            try await write(1, in: "other")
            #expect(state.values == nil)
            try await write(2)
            let (value, version) = try #require(state.values?.values.value(of: "a"))
            #expect(value == [2])
            _ = try state.operate(1, .found(key: "a", value: value, version: version, isRead: true)).get()
            _ = try state.operate(1, .set(key: "a", value: [3])).get()
            try await write(4)
            #expect(await state.commit(1) == .success(.conflict))
            #expect(try store.value("a", in: "n")?.value == [4])
        }
    }

    @Test("a block that is abandoned takes its refused write along")
    func abandoned() async throws {
        try await with { state, store async throws in
            _ = state.operate(1, tooLarge)
            _ = state.operate(1, .abandon)
            _ = state.operate(1, .set(key: "a", value: [1]))
            #expect(await state.commit(1) == .success(.done))
            #expect(try store.value("a", in: "n")?.value == [1])
        }
    }

    @Test("a list goes on past a page whose keys the handler has all deleted")
    func deletedPage() async throws {
        try await with { state, store async throws in
            let large = [UInt8](repeating: 0, count: 1 << 20)
            for number in 0..<7 {
                var effects = Effects(namespace: "n")
                effects.writes.append(Effects.KeyWrite("k\(number)", .set(large)))
                _ = try await store.commit(Commit(effects: effects))
                if number < 6 { _ = state.operate(0, .delete(key: "k\(number)")) }
            }
            let list = state.operate(0, .list(prefix: "k", after: nil, limit: 10))
            guard case .entries(let entries, let more) = try list.get() else { return #expect(Bool(false)) }
            #expect(entries.map(\.key) == ["k6"] && !more)
        }
    }

    @Test("a bounded number of blocks may be open")
    func scopes() async throws {
        try await with { state, _ async throws in
            for scope in 1...256 { _ = try state.operate(StateScope(scope), .get(key: "a")).get() }
            let refusal = state.operate(257, .get(key: "a"))
            #expect(throws: StateError.self) { try refusal.get() }
            _ = await state.commit(1)
            _ = try state.operate(257, .get(key: "a")).get()
        }
    }

    @Test("a block that was refused since too many are open does not commit as if it had written")
    func refusedScope() async throws {
        try await with { state, store async throws in
            for scope in 1...256 { _ = try state.operate(StateScope(scope), .get(key: "a")).get() }
            let refusal = state.operate(257, .set(key: "b", value: [1]))
            #expect(throws: StateError.self) { try refusal.get() }
            #expect(await state.commit(257) == refusal)
            // The scope begins anew.
            #expect(await state.commit(1) == .success(.done))
            _ = try state.operate(257, .set(key: "b", value: [2])).get()
            #expect(await state.commit(257) == .success(.done))
            #expect(try store.value("b", in: "n")?.value == [2])
        }
    }

    @Test("of more such blocks than are remembered each, none commits, and those that are open do")
    func refusedScopes() async throws {
        try await with { state, store async throws in
            for scope in 1...256 { _ = try state.operate(StateScope(scope), .set(key: "a", value: [1])).get() }
            for scope in 257...2000 { _ = state.operate(StateScope(scope), .delete(key: "a")) }
            for scope in 257...2000 {
                guard case .failure = await state.commit(StateScope(scope)) else {
                    return #expect(Bool(false), "\(scope)")
                }
            }
            #expect(await state.commit(256) == .success(.done))
            #expect(try store.value("a", in: "n")?.value == [1])
        }
    }

    @Test("what is sent joins the effects, and is forgotten with what was written")
    func sending() async throws {
        try await with { state, _ async throws in
            let message = OutgoingMessage(target: "f", data: [1])
            #expect(state.operate(0, .send(message)) == .success(.done))
            _ = state.operate(0, .abandon)
            #expect(state.operate(0, .send(message)) == .success(.done))
            let effects = try #require(state.seal())
            #expect(effects.messages.map(\.trigger) == ["f/send"])
            guard case .failure = state.operate(0, .send(message)) else { return #expect(Bool(false)) }
        }
    }

    @Test("what a block of its own sends is in the queue when it commits, and not when one of its writes was refused")
    func sendingImmediately() async throws {
        try await with { state, store async throws in
            let message = OutgoingMessage(target: "f", data: [1])
            _ = state.operate(1, .send(message))
            #expect(await state.commit(1) == .success(.done))
            _ = state.operate(2, .send(message))
            _ = state.operate(2, .send(OutgoingMessage(target: "nobody", data: [])))
            guard case .failure = await state.commit(2) else { return #expect(Bool(false)) }
            _ = state.operate(3, .send(OutgoingMessage(target: "nobody", data: [])))
            guard case .failure = await state.commit(3) else { return #expect(Bool(false)) }
            #expect(try await store.queueCounts()["f"]?.enqueued == 1)
            #expect(state.seal() == nil)
        }
    }

    @Test("more messages than a unit of effects may have are refused")
    func tooManyMessages() async throws {
        try await with { state, _ async throws in
            let message = OutgoingMessage(target: "f", data: [])
            for _ in 0..<EffectsBuffer.maximumMessages {
                #expect(state.operate(0, .send(message)) == .success(.done))
            }
            guard case .failure(let error) = state.operate(0, .send(message)) else {
                return #expect(Bool(false))
            }
            #expect(error.code == .invalid)
        }
    }
}
