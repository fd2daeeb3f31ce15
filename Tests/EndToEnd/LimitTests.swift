import Foundation
import Support
import Testing

@Suite("Limits hold")
struct LimitTests {
    private static let limited = """
        name: limited
        handler: { command: [\(ApusHost.build)/ContractWorker], contract: apus }
        triggers: [{ http: { path: "/{rest*}" } }]
        workers: { max: 2, concurrency: 1 }
        limits: { time: 500ms, memory: 96MiB }
        """

    @Test(
        "a handler that runs past its limit is answered 504 and its process goes",
        arguments: ["/sleep?ms=60000", "/ignore-term?ms=60000"])
    func timeLimit(path: String) async throws {
        try await ApusHost.with(["limited": Self.limited]) { host in
            #expect(try host.get("/echo").status == 200)
            let port = host.port
            let start = ContinuousClock.now
            let answer = try await onThreads(1) { _ in try HTTPConnection(port: port).request("GET", path) }
            let duration = ContinuousClock.now - start
            #expect(answer[0].status == 504)
            #expect(answer[0].text.contains("timed-out"))
            // The promise is 200 ms after the limit; a busy machine gets more, a host that waits for the handler does not.
            #expect(duration >= .milliseconds(500) && duration < .seconds(10))
            let isGone = await eventually { host.workerPIDs.isEmpty }
            #expect(isGone)
            #expect(try host.get("/echo").status == 200)
        }
    }

    @Test("a handler that allocates past its limit fails alone")
    func memoryLimit() async throws {
        let neighbour = Self.limited.replacingOccurrences(of: "limited", with: "neighbour")
            .replacingOccurrences(of: "/{rest*}", with: "/neighbour/{rest*}")
        try await ApusHost.with(["limited": Self.limited, "neighbour": neighbour]) { host in
            func status(_ path: String) throws -> Int { try host.get(path).status }
            let before = try status("/neighbour/echo")
            #expect(before == 200)
            #expect(try status("/allocate?mib=512") == 502)
            #expect(try status("/neighbour/echo") == 200)
            #expect(try status("/echo") == 200)
        }
    }

    @Test("a host that may open few files says how many connections that leaves")
    func fewFiles() async throws {
        let launcher = ["/bin/sh", "-c", #"ulimit -n 700; exec "$0" "$@""#]
        try await ApusHost.with(
            ["limited": Self.limited], launcher: launcher, arguments: ["--max-workers", "64"]
        ) { host in
            #expect(host.log.contains("30 connections at once, not 10000: the system allows 700 open files"))
            let clients = try (0..<31).map { _ in try HTTPConnection(port: host.port) }
            // Their order is that of their first requests' answers, not that of `connect`.
            let statuses = try clients.map { try $0.request("GET", "/echo").status }
            #expect(statuses.count { $0 == 200 } == 30 && statuses.contains(503))
        }
    }
}
