import Foundation
import Support
import Testing

@Suite("What a request costs does not grow unseen", .timeLimit(.minutes(3)))
struct CountTests {
    @Test("allocations, statements of SQLite and syncs stay within their thresholds")
    func calls() async throws {
        try await withTemporaryFolder { folder in
            let file = folder + "/counts"
            let environment = ["LD_PRELOAD": build + "/libCallCounter.so", "APUS_COUNTS": file]
            try await CountedHost.with(environment: environment, in: folder) { host in
                for contract in Thresholds.contracts {
                    let requests = contract.requests
                    let (before, after) = try host.growth(
                        of: { try CallCounts(file) }, with: requests, to: contract.path)
                    let allocations = (after.allocations - before.allocations) / requests
                    #expect(
                        allocations <= contract.allocations,
                        "allocations of a request to a function of \(contract.name)")
                }
                for change in Thresholds.changes {
                    let (before, after) = try host.growth(
                        of: { try CallCounts(file) }, with: 1000, to: change.path, queued: change.queued)
                    #expect(
                        after.statements - before.statements <= change.statements,
                        "statements of SQLite of 1,000 times \(change.name)")
                    #expect(after.syncs - before.syncs <= change.syncs, "syncs of 1,000 times \(change.name)")
                    #expect(after.writes - before.writes <= change.writes, "writes of 1,000 times \(change.name)")
                }
            }
        }
    }

    @Test("system calls stay within their thresholds", .enabled(if: Strace.isAllowed, Strace.why))
    func systemCalls() async throws {
        try await withTemporaryFolder { folder in
            let trace = folder + "/trace"
            // With -D the host is the child, and strace its grandchild.
            let launcher = [Strace.program, "-D", "-f", "-qq", "-o", trace]
            try await CountedHost.with(launcher: launcher, in: folder) { host in
                for contract in Thresholds.contracts {
                    let requests = contract.requests
                    var least = Int.max
                    // A machine that is busy with something else, where events come one by one, only adds to them.
                    for _ in 0..<3 where least > contract.systemCalls {
                        let start = ContinuousClock.now
                        let (before, after) = try host.growth(
                            of: { try FileManager.default.attributesOfItem(atPath: trace)[.size] as? Int ?? 0 },
                            with: requests, to: contract.path)
                        let calls = try Strace.calls(of: host.pid, in: trace, from: before, to: after)
                        let waits = calls.count { call in
                            [" epoll_wait(", " futex(", " sched_yield("].contains { call.contains($0) }
                        }
                        let looks = Strace.looks(in: calls)
                        let longest = Int(start.duration(to: .now) / Thresholds.look)
                        #expect(Strace.lookups(in: calls) <= longest + 1, "looks for orphans, by the clock")
                        #expect(
                            (calls.count - waits - looks) * 1000 / requests <= contract.callsButWaits,
                            "system calls that are no waits, of 1,000 requests to a function of \(contract.name)")
                        least = min(least, (calls.count - looks) * 1000 / requests)
                    }
                    #expect(
                        least <= contract.systemCalls,
                        "system calls of 1,000 requests to a function of \(contract.name)")
                }
            }
        }
    }
}

extension Contract {
    fileprivate var path: String { name == "http" ? "/http/echo" : "/" + name }
    /// Of those with a process for each, fewer are as telling.
    fileprivate var requests: Int { name == "stdio" || name == "cgi" ? 100 : 1000 }
}

/// What the library in Tests/Counts/Counter has counted so far.
private struct CallCounts {
    var allocations: Int
    var statements: Int
    var syncs: Int
    var writes: Int

    init(_ path: String) throws {
        let words = try Data(contentsOf: URL(fileURLWithPath: path)).withUnsafeBytes {
            (0..<4).map { [bytes = $0] in Int(bytes.loadUnaligned(fromByteOffset: 8 * $0, as: UInt64.self)) }
        }
        (allocations, statements, syncs, writes) = (words[0], words[1], words[2], words[3])
    }
}

/// Debian's `strace`, which `make test` installs.
private enum Strace {
    static let program = "/usr/bin/strace"

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

    /// Calls that are no waits by which the host looks for orphans. It does so by the clock, and whenever the machine has
    /// made a process, so that the slower a machine is, the more of them come with a request.
    static func looks(in calls: [Substring]) -> Int {
        // To open, read and close it; to tell the loop, which reads that; and to set the timer.
        6 * lookups(in: calls) + calls.count { $0.contains("RLIMIT_LOCKS, NULL") }
    }

    /// How often it looks whether the machine has made a process.
    static func lookups(in calls: [Substring]) -> Int {
        calls.count { $0.contains(#" openat(AT_FDCWD, "/proc/loadavg""#) }
    }

    /// The calls that the threads of a process made, in a part of a trace. Those of its children, which the trace has as
    /// well, count as theirs from their exec on.
    static func calls(of process: Int32, in trace: String, from begin: Int, to end: Int) throws -> [Substring] {
        let text = try Data(contentsOf: URL(fileURLWithPath: trace))[begin..<end]
        let threads = Set(try FileManager.default.contentsOfDirectory(atPath: "/proc/\(process)/task"))
        return String(decoding: text, as: UTF8.self).split(separator: "\n").filter { line in
            let isThread = threads.contains(String(line.prefix { $0 != " " }))
            return isThread && line.contains("(") && !line.contains(" resumed>")
        }
    }
}
