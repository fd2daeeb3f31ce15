import FaultChecking
import Foundation

/// What was killed.
package struct Kills: Sendable, Hashable, Codable {
    package var hosts = 0
    package var workers = 0

    package init() {}

    package static func += (sum: inout Kills, other: Kills) {
        sum.hosts += other.hosts
        sum.workers += other.workers
    }
}

/// Kills hosts and workers at random moments until a deadline. Time is its subject, so that it is what it waits for.
package struct Nemesis: Sendable {
    /// Milliseconds until the host is killed, from the moment at which it was ready; `nil` for never.
    package var host: ClosedRange<Int>? = 500...5000
    /// Milliseconds between two kills of workers; `nil` for none.
    package var worker: ClosedRange<Int>? = 20...500

    package init(host: ClosedRange<Int>? = 500...5000, worker: ClosedRange<Int>? = 20...500) {
        self.host = host
        self.worker = worker
    }

    /// Kills the host and starts it anew, again and again; it is up when this returns.
    func killHosts(
        _ host: HostProcess, until end: ContinuousClock.Instant, _ random: inout SeededGenerator
    ) async throws -> Int {
        var kills = 0
        while let range = self.host {
            let next = ContinuousClock.now + .milliseconds(Int.random(in: range, using: &random))
            guard next < end else { break }
            try await Task.sleep(until: next, clock: .continuous)
            guard host.isRunning else { throw HarnessFailure("the host ended by itself; see \(host.logPath)") }
            host.kill()
            kills += 1
            guard try await host.start() else {
                throw HarnessFailure("the host does not start on what a killed one left; see \(host.logPath)")
            }
        }
        try await Task.sleep(until: end, clock: .continuous)
        return kills
    }

    func killWorkers(
        of board: HostBoard, until end: ContinuousClock.Instant, _ random: inout SeededGenerator
    ) async throws -> Int {
        var kills = 0
        while let range = worker, ContinuousClock.now < end {
            try await Task.sleep(for: .milliseconds(Int.random(in: range, using: &random)))
            guard let host = board.host else { continue }
            let workers = Self.children(of: host.pid)
            guard !workers.isEmpty else { continue }
            // One that has ended meanwhile is reaped by its host, which may be killed in turn: then it does not count.
            if kill(workers[random.below(workers.count)], SIGKILL) == 0 { kills += 1 }
        }
        return kills
    }

    /// The processes that the host has started, by whichever of its threads (proc(5)).
    static func children(of pid: Int32) -> [Int32] {
        let tasks = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(pid)/task")) ?? []
        return tasks.sorted().flatMap { task in
            let text = (try? String(contentsOfFile: "/proc/\(pid)/task/\(task)/children", encoding: .utf8)) ?? ""
            return text.split(separator: " ").compactMap { Int32($0) }
        }
    }
}
