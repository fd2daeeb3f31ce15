import CFaultControl
import Foundation
import Support
import Synchronization
import Testing

/// How a disk goes bad, and what the host is to say of it.
enum DiskFault: String, CaseIterable, CustomTestStringConvertible {
    case full, readOnly, failingSyncs, failingWrites

    var testDescription: String { rawValue }

    func begin(_ faults: Faults) {
        switch self {
        case .full: faults.limitSpace(to: 50 << 10)
        case .readOnly: faults.makeReadOnly(true)
        case .failingSyncs: faults.control.pointee.sync.error = UInt64(EIO)
        case .failingWrites: faults.control.pointee.write.error = UInt64(EIO)
        }
    }

    var status: Int { self == .full ? 507 : 503 }

    /// Part of what `/readyz` says.
    var words: String {
        switch self {
        case .full: "no space is left for"
        case .readOnly: "is read-only"
        case .failingSyncs, .failingWrites: "fails: Input/output error"
        }
    }
}

@Suite("Storage that fails")
struct StorageFaultTests {
    private static let counter = """
        name: counter
        handler: { command: [\(ApusHost.build)/ContractWorker], contract: apus }
        triggers:
          - { http: { path: "/{rest*}" } }
          - { timer: { every: 1s } }
        workers: { max: 4, concurrency: 16 }
        """

    /// Runs `body` with a host that stands on the fault injector.
    private static func withFaults(
        undo: Faults.Undo = .none, _ body: (ApusHost, Faults) async throws -> Void
    ) async throws {
        try await ApusHost.with(["counter": counter]) { host in
            host.kill()
            let faults = try Faults(below: host.data, undo: undo)
            try await host.start(environment: faults.environment)
            try await body(host, faults)
        }
    }

    private static func number(_ key: String, _ host: ApusHost) throws -> Int {
        let value = try host.cli("state", "get", "counter", key).output
        return Int(value.trimmingCharacters(in: .whitespacesAndNewlines)) ?? 0
    }

    private static func readiness(_ host: ApusHost) throws -> HTTPConnection.Response {
        try HTTPConnection(port: host.adminPort).request("GET", "/readyz")
    }

    private static func check(_ host: ApusHost) throws -> CommandResult {
        try run(ApusHost.build + "/apus", ["check", "--data", host.data])
    }

    @Test(
        "a disk that goes bad under load costs the requests that need it, nothing else, and the host goes on by itself",
        arguments: DiskFault.allCases)
    func underLoad(fault: DiskFault) async throws {
        try await Self.withFaults { host, faults in
            let port = host.port
            let isOver = Atomic(false)
            async let loads = onThreads(4) { index in
                let connection = try HTTPConnection(port: port)
                var statuses: [Int: Int] = [:]
                while !isOver.load(ordering: .relaxed) {
                    statuses[try connection.request("POST", "/add?key=n\(index)").status, default: 0] += 1
                }
                return statuses
            }
            let isUnderway = try await eventually { try Self.number("n0", host) > 10 }
            fault.begin(faults)
            let isTold = try await eventually { try Self.readiness(host).status == 503 }
            #expect(isUnderway && isTold)
            let saysWhich = try await eventually { try Self.readiness(host).text.contains(fault.words) }
            let said = try Self.readiness(host).text
            #expect(saysWhich, "\(said)")
            let refusal = try host.post("/add?key=other")
            #expect(refusal.status == fault.status)
            #expect(refusal.headers["content-type"] == "application/problem+json")
            #expect(refusal.headers["retry-after"] != nil)
            #expect(try host.post("/count", "abc").text.hasPrefix("3"), "what touches no state goes on")

            faults.clear()
            let isReady = try await eventually { try Self.readiness(host).status == 200 }
            #expect(isReady)
            let timers = try Self.number("timers", host)
            let goesOn = try await eventually { try Self.number("timers", host) > timers }
            #expect(goesOn)
            isOver.store(true, ordering: .relaxed)

            let statuses = try await loads
            for (index, counts) in statuses.enumerated() {
                #expect(Set(counts.keys).isSubset(of: [200, 503, fault.status]))
                #expect(try Self.number("n\(index)", host) == counts[200])
            }
            #expect(statuses.contains { $0[fault.status] ?? 0 > 0 })
            #expect(try Self.check(host).output.contains("no problem"))
            host.kill()
            try await host.start()
            for (index, counts) in statuses.enumerated() {
                #expect(try Self.number("n\(index)", host) == counts[200], "also after a crash")
            }
        }
    }

    @Test("what was refused after a failed sync does not come back when the host is killed, nor what was confirmed go")
    func failedSync() async throws {
        try await Self.withFaults(undo: .whole) { host, faults in
            for _ in 0..<3 { #expect(try host.post("/add?key=n").status == 200) }
            faults.control.pointee.sync.error = UInt64(EIO)
            let uncertain = try host.post("/add?key=n")
            #expect(uncertain.status == 503)
            #expect(uncertain.text.contains("storage-uncertain"))
            faults.clear()
            let isReady = try await eventually { try Self.readiness(host).status == 200 }
            #expect(isReady)
            #expect(try host.post("/add?key=n").status == 200)
            // One sync that fails in passing costs nobody anything.
            faults.control.pointee.sync.times = 1
            faults.control.pointee.sync.error = UInt64(EIO)
            #expect(try host.post("/add?key=n").status == 200)

            host.kill()
            try PowerCut(of: faults).happen(below: host.data)
            try await host.start()
            #expect(try Self.number("n", host) == 5)
            #expect(try Self.check(host).output.contains("no problem"))
        }
    }

    @Test("the power fails at any write of the host: what it had confirmed is there", arguments: [3, 17, 50, 91])
    func powerCut(call: Int) async throws {
        try await Self.withFaults(undo: .parts) { host, faults in
            let port = host.port
            faults.kill(at: call, of: [FAULT_CALL_WRITE, FAULT_CALL_SYNC, FAULT_CALL_TRUNCATE], FAULT_AMID)
            let confirmed = try await onThreads(4) { index in
                guard let connection = try? HTTPConnection(port: port) else { return 0 }
                var count = 0
                while (try? connection.request("POST", "/add?key=n\(index)").status) == 200 { count += 1 }
                return count
            }
            host.kill()
            var random = SystemRandomNumberGenerator()
            try PowerCut(of: faults).happen(below: host.data) { _ in Bool.random(using: &random) }
            try await host.start()
            for (index, count) in confirmed.enumerated() {
                let found = try Self.number("n\(index)", host)
                #expect(found == count || found == count + 1, "the last one may have been committed unheard")
            }
            #expect(try Self.check(host).output.contains("no problem"))
        }
    }

    @Test("a host does not start on a damaged database, says what to do, and starts on the backup")
    func damaged() async throws {
        try await ApusHost.with(["counter": Self.counter]) { host in
            #expect(try host.post("/add?key=n").status == 200)
            let apus = ApusHost.build + "/apus"
            let backup = try run(apus, ["backup", host.folder + "/backup.db", "--data", host.data])
            #expect(backup.status == 0 && backup.output.contains("checked"))
            let inUse = try run(apus, ["restore", host.folder + "/backup.db", "--data", host.data])
            #expect(inUse.status == 75 && inUse.error.contains("in use by process \(host.pid)"))
            host.kill()

            let path = host.data + "/apus.db"
            try Data(repeating: 0x55, count: 40_000).write(to: URL(fileURLWithPath: path))
            try? FileManager.default.removeItem(atPath: path + "-wal")
            let refused = try run(apus, ["serve", host.folder + "/manifests", "--data", host.data])
            #expect(refused.status == 65)
            #expect(try Self.check(host).status == 65)

            let restored = try run(apus, ["restore", host.folder + "/backup.db", "--data", host.data])
            #expect(restored.status == 0 && restored.output.contains("what was there before is"))
            try await host.start()
            #expect(try Self.number("n", host) == 1)
        }
    }
}
