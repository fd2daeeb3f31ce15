import Foundation
import Support
import Testing

@Suite("Workers scale from none to many and back")
struct ScalingTests {
    private static let burst = """
        name: burst
        handler: { command: [\(ApusHost.build)/ContractWorker], contract: apus }
        triggers: [{ http: { path: "/burst/{rest*}" } }]
        workers: { max: 8, concurrency: 1, idle: 1s }
        limits: { wait: 60s }
        """

    @Test("200 requests at once succeed on 8 workers, which go when they are idle; nobody else's start")
    func burst() async throws {
        let idle = Self.burst.replacingOccurrences(of: "burst", with: "uncalled")
        try await ApusHost.with(["burst": Self.burst, "uncalled": idle]) { host in
            let port = host.port
            async let statuses = onThreads(200) { _ in
                try HTTPConnection(port: port).request("GET", "/burst/sleep?ms=50").status
            }
            let grew = try await eventually { try host.function("burst").pool.workers.count == 8 }
            #expect(grew)
            let all = try await statuses
            #expect(all == Array(repeating: 200, count: 200))
            let listed = try host.cli("list", "--json")
            #expect(listed.status == 0)
            let shrank = try await eventually {
                try host.function("burst").pool.workers.isEmpty && host.workerPIDs.isEmpty
            }
            #expect(shrank)
            #expect(try host.function("uncalled").pool.started == 0)
        }
    }
}
