package import FaultChecking
import Foundation
import Support
import Synchronization

/// One round: a fresh data folder, all workloads at once under the nemesis, and then the audits.
package struct Round: Sendable {
    package struct Report: Sendable {
        package var kills = Kills()
        package var verdicts: [String: Verdict] = [:]
        /// Of the round, with the data and the histories.
        package let folder: String

        package var findings: [Finding] { verdicts.sorted { $0.key < $1.key }.flatMap(\.value.findings) }
    }

    package var seed: UInt64
    package var duration: Duration
    package var workloads: [any Workload.Type]
    package var nemesis = Nemesis()
    /// Where `apus` and the handlers are.
    package var build: String
    package var disk = Disk.sound
    /// More variables for the host.
    package var environment: [String: String] = [:]
    /// How long what is under way in the end may take; a host that keeps its promises needs little of it.
    package var patience = Duration.seconds(60)

    package init(seed: UInt64, duration: Duration, workloads: [any Workload.Type], build: String) {
        self.seed = seed
        self.duration = duration
        self.workloads = workloads
        self.build = build
    }

    /// - Parameter folder: a new one, which is left as it is.
    package func run(in folder: String) async throws -> Report {
        let place = try Place(preparing: folder, build: build)
        let running = try workloads.map { try $0.init(place) }
        for workload in running { try place.write(workload.manifests) }
        let board = HostBoard()
        let host = try HostProcess(folder: folder, build: build, environment: environment, board: board, disk: disk)
        var report = Report(folder: folder)
        do {
            guard try await host.start() else { throw HostFailure("the host does not start; see \(host.logPath)") }
            for workload in running { try workload.open(Client(board: board)) }
            try await stress(host, board, running, &report.kills)
            report.verdicts = try await audit(running, FinalState(Client(board: board)))
            if let damage = try host.damage() {
                report.verdicts["host", default: Verdict()].found(.violation, "the database is not sound: \(damage)")
            }
        } catch let failure as HostFailure {
            report.verdicts["host", default: Verdict()].found(.violation, failure.what)
        }
        return report
    }

    /// Clients and nemesis, until the time is over; the host is up afterwards, and has nothing in its memory.
    private func stress(
        _ host: HostProcess, _ board: HostBoard, _ workloads: [any Workload], _ kills: inout Kills
    ) async throws {
        let end = ContinuousClock.now + duration
        let (seed, nemesis) = (seed, nemesis)
        async let steps: [Void] = Self.runClients(of: workloads, board, seed)
        async let workerKills = {
            var random = SeededGenerator(seed: seed, stream: "workers")
            return try await nemesis.killWorkers(of: board, until: end, &random)
        }()
        defer { board.stop() }
        var random = SeededGenerator(seed: seed, stream: "hosts")
        try await nemesis.killHosts(host, until: end, &random, &kills.hosts)
        board.stop()
        kills.workers = try await workerKills
        _ = try await steps
        try host.die(&random)
        kills.hosts += 1
        host.faults?.clear()
        guard try await host.start() else { throw HostFailure("the last host does not start; see \(host.logPath)") }
    }

    private static func runClients(of workloads: [any Workload], _ board: HostBoard, _ seed: UInt64) async throws
        -> [Void]
    {
        let clients = workloads.flatMap { workload in
            (0..<type(of: workload).clients).map { (workload, "\(type(of: workload).name)-\($0)") }
        }
        return try await onThreads(clients.count) { index in
            let (workload, name) = clients[index]
            let client = Client(board: board)
            var random = SeededGenerator(seed: seed, stream: name)
            var number = 0
            while !board.isStopped {
                workload.step(client, id: "\(name)-\(number)", &random)
                number += 1
            }
        }
    }

    /// What is accepted may still be under way: the verdicts count when nothing is found, or after `patience`.
    private func audit(_ workloads: [any Workload], _ state: FinalState) async throws -> [String: Verdict] {
        let end = ContinuousClock.now + patience
        let isQuiet = try await eventually(within: patience) { try state.isQuiet() }
        var verdicts: [String: Verdict] = [:]
        for workload in workloads {
            let name = type(of: workload).name
            _ = try await eventually(within: end - .now) {
                let verdict = try workload.audit(state)
                verdicts[name] = verdict
                return verdict.findings.isEmpty
            }
        }
        if !isQuiet {
            verdicts["host", default: Verdict()].found(.violation, "the queue does not come to rest in \(patience)")
        }
        return verdicts
    }
}
