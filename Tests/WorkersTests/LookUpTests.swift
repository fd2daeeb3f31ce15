import Events
import Manifests
import Support
import Testing
import Wire
import Workers

/// Workers that look up values in memory. Where there is a value, that there is another than the one that the host gives when
/// it is asked.
@Suite("Values that a worker looks up", .timeLimit(.minutes(2)))
struct LookUpTests {
    private let ring: ValueRing

    init() throws {
        ring = try ValueRing(bytes: 64 << 10)
        ring.set([UInt8]("memory".utf8), version: 7, of: "a")
        ring.set([UInt8]("40".utf8), version: 8, of: "n")
    }

    /// Runs `body` with a worker that has the memory.
    private func with(_ body: (World) async throws -> Void) async throws {
        try await World.with(Handlers.contractWorker()) { world in
            // It gets it after some questions, the next time that it has nothing to do.
            while try await take("get-a", in: world).operations.first == .get(key: "a") {}
            try await body(world)
        }
    }

    /// What the steps give, and what the host is told.
    private func take(
        _ steps: String, in world: World, values: ValueRing? = nil
    ) async throws -> (text: String, operations: [StateOperation]) {
        let state = MemoryState(["a": "host", "n": "1", "b": "host"], values: values ?? ring)
        let text = try await world.request("/steps", query: "steps=" + steps, state: state).text()
        return (text, state.operations)
    }

    private func change() { for key in ["a", "b"] { ring.set([UInt8]("other".utf8), version: 9, of: key) } }

    private let foundA = StateOperation.found(key: "a", value: [UInt8]("memory".utf8), version: 7, isRead: true)

    @Test("are not asked for, and the host is told which they were")
    func found() async throws {
        try await with { world in
            let (text, operations) = try await take("get-a,get-b,child-a", in: world)
            #expect(text == "memory,host,memory")
            #expect(operations == [foundA, .get(key: "b")])
        }
    }

    @Test("are the same each time that a call reads them, though others change them meanwhile")
    func repeated() async throws {
        try await with { world in
            let (text, operations) = try await take("get-b,get-a,get-b,get-a", in: world)
            #expect(text == "host,memory,host,memory")
            #expect(operations == [.get(key: "b"), foundA, .get(key: "b")])
            // Once the host was asked for a key, it is asked again, whatever is in memory by then.
            let state = MemoryState(["b": "host", "c": "host"], values: ring, afterRead: change)
            let path = "steps=get-a,get-b,get-a,get-b"
            let again = try await world.request("/steps", query: path, state: state).text()
            #expect(again == "memory,host,memory,host")
        }
    }

    @Test("are asked for once the call has written or listed, and within 'immediately'")
    func asked() async throws {
        try await with { world in
            for step in ["set-c", "list-c", "increment-b"] {
                let operations = try await take("get-a,\(step),get-n,get-a", in: world).operations
                #expect(operations.first == foundA)
                #expect(operations.suffix(2) == [.get(key: "n"), .get(key: "a")])
            }
            let (text, operations) = try await take("aside-a,get-a", in: world)
            #expect(text == "host,memory")
            #expect(operations == [.get(key: "a"), foundA])
        }
    }

    @Test("are what is incremented, without a reply")
    func increment() async throws {
        try await with { world in
            let (text, operations) = try await take("increment-n", in: world)
            #expect(text == "42")
            #expect(
                operations == [
                    .found(key: "n", value: [UInt8]("40".utf8), version: 8, isRead: false), .increment(key: "n", by: 2),
                ])
            // What is no number is for the host to refuse.
            let refused = try await take("increment-a", in: world).operations
            #expect(refused == [.increment(key: "a", by: 2)])
        }
    }

    @Test("are incremented once by a call, which asks the host to add more")
    func incrementTwice() async throws {
        try await with { world in
            for _ in 0..<20 {
                let (text, operations) = try await take("both-n", in: world)
                // 40 in memory and 2; 1 at the host, which has added 2 by then, and 2.
                #expect(text == "42 5")
                #expect(operations.count == 3)
            }
            // What it has read, the host is asked to add to.
            let operations = try await take("get-n,increment-n", in: world).operations
            #expect(operations.last == .increment(key: "n", by: 2))
            #expect(operations.count == 2)
        }
    }

    @Test("end with the 64th key of a call: the host says when there are too many")
    func many() async throws {
        try await with { world in
            for number in 0..<70 { ring.set([0x31], version: 1, of: "k\(number)") }
            let steps = (0..<70).map { "get-k\($0)" }.joined(separator: ",")
            let operations = try await take(steps, in: world).operations
            #expect(operations.count == 70)
            #expect(operations[63] == .found(key: "k63", value: [0x31], version: 1, isRead: true))
            #expect(operations[64] == .get(key: "k64"))
        }
    }

    @Test("end with the 64th look, too, so that others of the worker's calls get their turn")
    func again() async throws {
        try await with { world in
            let steps = (0..<70).map { _ in "get-a" }.joined(separator: ",")
            let operations = try await take(steps, in: world).operations
            #expect(operations == [foundA] + (0..<6).map { _ in .get(key: "a") })
        }
    }

    @Test("are not for a worker whose memory is bounded to little more", arguments: [true, false])
    func bounded(_ isRetirement: Bool) async throws {
        let manifest = Handlers.contractWorker {
            if isRetirement { $0.workers.retireMemory = 32 << 20 } else { $0.limits.memory = 32 << 20 }
        }
        let large = try ValueRing(bytes: 8 << 20)
        large.set([1], version: 1, of: "a")
        try await World.with(manifest) { world in
            for _ in 0..<40 {
                let operations = try await take("get-a", in: world, values: large).operations
                #expect(operations == [.get(key: "a")])
            }
        }
    }

    @Test("are asked for by a worker that can have no more descriptors, which goes on")
    func noDescriptors() async throws {
        try await World.with(Handlers.contractWorker()) { world in
            _ = try await take("fill", in: world)
            for _ in 0..<100 {
                let operations = try await take("get-a", in: world).operations
                #expect(operations == [.get(key: "a")])
            }
            #expect(world.pool.snapshot.workers.map(\.invocations) == [101])
        }
    }

    @Test("come from the memory that is used now")
    func replaced() async throws {
        try await with { world in
            let next = try ValueRing(bytes: 64 << 10)
            next.set([UInt8]("next".utf8), version: 9, of: "a")
            ring.clear()
            while try await take("get-a", in: world, values: next).text != "next" {}
        }
    }

    @Test("are not for a worker that cannot share memory")
    func fresh() async throws {
        let manifest = Handlers.contractWorker { $0.workers.instance = .fresh }
        try await World.with(manifest) { world in
            for _ in 0..<3 {
                let steps = (0..<20).map { _ in "get-a" }.joined(separator: ",")
                let operations = try await take(steps, in: world).operations
                #expect(operations.allSatisfy { $0 == .get(key: "a") })
            }
        }
    }
}
