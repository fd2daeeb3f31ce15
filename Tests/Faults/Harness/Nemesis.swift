import CFaultControl
import FaultChecking
import Foundation
import Support

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
        _ host: HostProcess, until end: ContinuousClock.Instant, _ random: inout SeededGenerator, _ kills: inout Int
    ) async throws {
        while let range = self.host {
            let next = ContinuousClock.now + .milliseconds(Int.random(in: range, using: &random))
            guard next < end else { break }
            try await wait(until: next, for: host)
            try host.die(&random)
            kills += 1
            try await restart(host, &random, &kills)
        }
        try await Task.sleep(until: end, clock: .continuous)
    }

    /// Waits for the moment, or for a host that was told to kill itself at one of its system calls.
    private func wait(until moment: ContinuousClock.Instant, for host: HostProcess) async throws {
        guard let faults = host.faults else {
            try await Task.sleep(until: moment, clock: .continuous)
            guard host.isRunning else { throw HostFailure("the host ended by itself; see \(host.logPath)") }
            return
        }
        while ContinuousClock.now < moment, host.isRunning { try await Task.sleep(for: .milliseconds(5)) }
        guard host.isRunning || faults.hasFired else {
            throw HostFailure("the host ended by itself; see \(host.logPath)")
        }
    }

    /// Starts the host; under the fault injector it may die a few times before it is ready.
    private func restart(_ host: HostProcess, _ random: inout SeededGenerator, _ kills: inout Int) async throws {
        for deaths in 0... {
            if let faults = host.faults {
                // The fourth start is left alone.
                (deaths < 3 ? Death.random(most: random.chance(50) ? 100 : 4000, &random) : .fromOutside).arm(faults)
            }
            if try await host.start() { return }
            guard host.faults?.hasFired == true else {
                throw HostFailure("the host does not start on what a killed one left; see \(host.logPath)")
            }
            try host.die(&random)
            kills += 1
        }
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

extension Faults {
    /// Whether the process has killed itself, as it was told.
    var hasFired: Bool { control.pointee.kill_calls != 0 && control.pointee.kill_in == 0 }
}
