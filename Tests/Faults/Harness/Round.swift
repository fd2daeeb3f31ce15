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
        package var folder = ""

        package var findings: [Finding] { verdicts.sorted { $0.key < $1.key }.flatMap(\.value.findings) }
    }

    package var seed: UInt64
    package var duration: Duration
    package var workloads: [any Workload.Type]
    package var nemesis = Nemesis()
    /// Where `apus` and the handlers are.
    package var build: String
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
        for name in ["manifests", "history"] {
            try FileManager.default.createDirectory(atPath: "\(folder)/\(name)", withIntermediateDirectories: true)
        }
        let place = Place(folder: folder, worker: build + "/FaultWorker")
        let running = try workloads.map { try $0.init(place) }
        for (name, text) in running.map(\.manifests).joined() {
            try text.write(toFile: "\(folder)/manifests/\(name).yaml", atomically: true, encoding: .utf8)
        }
        let board = HostBoard()
        let host = try HostProcess(folder: folder, build: build, environment: environment, board: board)
        guard try await host.start() else { throw HarnessFailure("the host does not start; see \(host.logPath)") }
        for workload in running { try workload.open(Client(board: board)) }
        var report = Report()
        report.folder = folder
        report.kills = try await stress(host, board, running)
        report.verdicts = try await audit(running, FinalState(Client(board: board)))
        return report
    }

    /// Clients and nemesis, until the time is over; the host is up afterwards.
    private func stress(_ host: HostProcess, _ board: HostBoard, _ workloads: [any Workload]) async throws -> Kills {
        let end = ContinuousClock.now + duration
        let clients = workloads.flatMap { workload in
            (0..<type(of: workload).clients).map { (workload, "\(type(of: workload).name)-\($0)") }
        }
        let seed = seed
        async let steps: [Void] = onThreads(clients.count) { index in
            let (workload, name) = clients[index]
            let client = Client(board: board)
            var random = SeededGenerator(seed: seed, stream: name)
            var number = 0
            while !board.isStopped {
                workload.step(client, id: "\(name)-\(number)", &random)
                number += 1
            }
        }
        let nemesis = nemesis
        async let workerKills = {
            var random = SeededGenerator(seed: seed, stream: "workers")
            return try await nemesis.killWorkers(of: board, until: end, &random)
        }()
        var kills = Kills()
        defer { board.stop() }
        var random = SeededGenerator(seed: seed, stream: "hosts")
        kills.hosts = try await nemesis.killHosts(host, until: end, &random)
        board.stop()
        kills.workers = try await workerKills
        _ = try await steps
        return kills
    }

    /// What is accepted may still be under way: the verdict counts when nothing is found, or nothing changes any more.
    private func audit(_ workloads: [any Workload], _ state: FinalState) async throws -> [String: Verdict] {
        let isQuiet = try await eventually(within: patience) { try state.isQuiet() }
        var verdicts: [String: Verdict] = [:]
        for workload in workloads {
            var verdict = Verdict()
            _ = try await eventually(within: patience) {
                verdict = try workload.audit(state)
                return verdict.findings.isEmpty
            }
            if !isQuiet { verdict.found(.violation, "the queue does not come to rest within \(patience)") }
            verdicts[type(of: workload).name] = verdict
        }
        return verdicts
    }
}
