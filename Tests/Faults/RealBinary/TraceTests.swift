import FaultChecking
import FaultHarness
import Foundation
import Support
import Synchronization
import Testing

@Suite(
    "System calls show that nothing is acknowledged before it is on disk", .enabled(if: Strace.isAllowed, Strace.why))
struct TraceTests {
    private static let manifest = """
        name: serial
        handler: { command: [\(build)/FaultWorker], contract: apus }
        triggers: [{ http: { path: "/serial/{operation}" } }]
        workers: { max: 2, concurrency: 16 }
        limits: { time: 60s, wait: 60s }
        """

    @Test("no answer with effects leaves before the sync that covers them has returned")
    func answers() async throws {
        let verdict = try await Strace.verdict(Self.manifest, clients: 8, requests: 12)
        #expect(verdict.acknowledged == 96)
        #expect(verdict.findings.isEmpty)
    }

    @Test("no 202 leaves before the sync that covers its event has returned")
    func accepted() async throws {
        // Later: the write by which it is taken from the queue would count as one of its own, which no answer waits for.
        let headers = [("Prefer", "respond-async"), ("Apus-After", "1h")]
        let verdict = try await Strace.verdict(Self.manifest, clients: 8, requests: 12, headers: headers, status: 202)
        #expect(verdict.acknowledged == 96)
        #expect(verdict.findings.isEmpty)
    }

    @Test("the same audit finds a host that does not sync")
    func skipped() async throws {
        let verdict = try await Strace.verdict(Self.manifest, clients: 2, requests: 3, disk: .lying)
        #expect(verdict.count(.violation) == 6)
    }
}

/// Debian's `strace`, which `make test` installs.
enum Strace {
    private static let program = "/usr/bin/strace"

    static let why: Comment = "ptrace(2) is forbidden here, so that strace cannot run"

    /// Whether ptrace is; a machine without strace is not excused.
    static let isAllowed: Bool = {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = ["-o", "/dev/null", "/bin/true"]
        process.standardError = FileHandle.nullDevice
        guard (try? process.run()) != nil else { return true }
        process.waitUntilExit()
        return process.terminationStatus == 0
    }()

    /// Traces a host while clients make transactions, each on a connection of its own.
    static func verdict(
        _ manifest: String, clients: Int, requests: Int, headers: [(String, String)] = [], status: Int = 200,
        disk: Disk = .sound
    ) async throws -> Verdict {
        try await withTemporaryFolder { folder in
            try FileManager.default.createDirectory(
                atPath: folder + "/manifests", withIntermediateDirectories: true)
            try manifest.write(toFile: folder + "/manifests/serial.yaml", atomically: true, encoding: .utf8)
            let trace = folder + "/trace"
            // The host writes less than 128 KiB to the log at once. With -D the host is the child, and strace its grandchild.
            let launcher = [
                program, "-D", "-f", "-yy", "-s", "131072", "-o", trace, "-e",
                "trace=write,writev,pwrite64,sendto,sendmsg,fsync,fdatasync",
            ]
            let board = HostBoard()
            let host = try HostProcess(folder: folder, build: build, launcher: launcher, board: board, disk: disk)
            try #require(try await host.start())
            let port = try #require(board.host).port
            let traced = try await onThreads(clients) { client in
                try (0..<requests).map { try ask("mark-\(client)-\($0)-mark", port, headers, status) }
            }
            host.kill()
            let text = try await whole(trace)
            return DurabilityAudit.check(traced.flatMap { $0 }, calls: SystemCall.parse(text))
        }
    }

    private static func ask(_ mark: String, _ port: Int, _ headers: [(String, String)], _ status: Int) throws
        -> TracedRequest
    {
        let connection = try HTTPConnection(port: port)
        let body = Array("w \(mark) value\n".utf8)
        let response = try connection.request(
            "POST", "/serial/transaction?id=\(mark)", headers: headers, body: body)
        guard response.status == status else {
            throw HarnessFailure("\(response.status): \(response.text)")
        }
        return TracedRequest(mark: mark, port: connection.localPort)
    }

    /// The trace, once its writer has seen the end of the host.
    private static func whole(_ path: String) async throws -> String {
        var text = ""
        let isWhole = try await eventually {
            text = String(decoding: try Data(contentsOf: URL(fileURLWithPath: path)), as: UTF8.self)
            return text.suffix(200).contains("+++ killed by SIGKILL +++")
        }
        #expect(isWhole)
        return text
    }
}
