import Events
import Manifests
import Support
import Testing
import Workers

@Suite("What a call needed", .serialized, .timeLimit(.minutes(2)))
struct LifetimeTests {
    /// Of a pool that has run one streamed call: the pool, which its workers hold, and the call's state, which the call
    /// holds.
    private struct Remains {
        weak var pool: Pool?
        weak var state: MemoryState?
    }

    @Test("goes with it when its response was a stream", arguments: Contract.all)
    func streamed(_ contract: Contract) async throws {
        let remains = try await run(contract.manifest(.stream)) { _ = try await $0.bytes() }
        #expect(await eventually { remains.pool == nil && remains.state == nil })
    }

    @Test("goes with it when nobody reads its response to the end", arguments: Contract.all)
    func cancelled(_ contract: Contract) async throws {
        let remains = try await run(contract.manifest(.stream)) { response in
            guard case .stream(let stream) = response.body else { throw Unexpected(description: "no stream") }
            stream.cancel()
        }
        #expect(await eventually { remains.pool == nil && remains.state == nil })
    }

    @Test("goes with it when its program cannot be started")
    func unstartable() async throws {
        var manifest = Handlers.shell("")
        manifest.handler.command = ["/no/such/program"]
        let remains = try await run(manifest) { _ in }
        #expect(await eventually { remains.pool == nil && remains.state == nil })
    }

    private func run(_ manifest: Manifest, _ use: (Response) async throws -> Void) async throws -> Remains {
        let pool = Pool(manifest: manifest, lanes: World.lanes, budget: WorkerBudget(limit: 8)) { _ in }
        let state = MemoryState()
        do {
            let world = World(pool: pool, lines: Lines())
            try await use(try await world.request("/stream", query: "chunks=1000&size=1024", state: state))
        } catch let failure as CallFailure where failure.code == .startFailed {}
        await pool.drain(within: .seconds(10))
        return Remains(pool: pool, state: state)
    }
}
