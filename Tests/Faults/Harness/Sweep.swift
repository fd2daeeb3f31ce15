import CFaultControl
import FaultChecking
import Foundation
import Support

/// Kills a host at one system call after the other: each time on a fresh data folder, under a few transfers that come one
/// after the other, so that runs hardly differ; and asks the next host what is there.
package struct Sweep: Sendable {
    private static let steps = 8

    package var seed: UInt64
    package var build: String

    package init(seed: UInt64, build: String) {
        self.seed = seed
        self.build = build
    }

    /// - Parameters:
    ///   - call: of those that write to the data folder or to a socket, from the start of the host on; 1 for the first.
    ///   - folder: a new one.
    /// - Returns: no kill when the host had less to do than that.
    package func report(killingAt call: Int, _ disk: Disk, in folder: String) async throws -> Round.Report {
        var report = Round.Report(folder: folder)
        guard let verdict = try await verdict(killingAt: call, disk, in: folder) else { return report }
        report.kills.hosts = 1
        report.verdicts["sweep"] = verdict
        return report
    }

    private func verdict(killingAt call: Int, _ disk: Disk, in folder: String) async throws -> Verdict? {
        var random = SeededGenerator(seed: seed, stream: "\(call)")
        let place = try Place(preparing: folder, build: build)
        let bank = try BankWorkload(place)
        try place.write(bank.manifests)
        let board = HostBoard()
        let first = try HostProcess(folder: folder, build: build, board: board, disk: disk)
        guard let faults = first.faults else { throw HarnessFailure("a sweep needs the fault injector") }
        let moment = [FAULT_BEFORE, FAULT_AFTER, FAULT_AMID][call % 3]
        Death.atCall(call, moment).arm(faults)
        if try await first.start() { try await run(bank, first, board) }
        let hasFired = faults.hasFired
        try first.die(&random)
        guard hasFired else { return nil }
        return try await verdict(of: bank, in: folder)
    }

    private func run(_ bank: BankWorkload, _ host: HostProcess, _ board: HostBoard) async throws {
        let seed = seed
        async let steps: [Void] = onThreads(1) { _ in
            defer { board.stop() }
            let client = Client(board: board)
            guard (try? bank.open(client)) != nil else { return }
            var random = SeededGenerator(seed: seed, stream: "steps")
            for number in 0..<Self.steps where !board.isStopped { bank.step(client, id: "t\(number)", &random) }
        }
        _ = await eventually { board.isStopped || !host.isRunning }
        board.stop()
        _ = try await steps
        // What runs behind the answers is to be killed, too.
        _ = await eventually(within: .milliseconds(100)) { !host.isRunning }
    }

    private func verdict(of bank: BankWorkload, in folder: String) async throws -> Verdict {
        let board = HostBoard()
        let next = try HostProcess(folder: folder, build: build, board: board)
        var verdict = Verdict()
        guard try await next.start() else {
            verdict.found(.violation, "the host does not start on what a killed one left; see \(next.logPath)")
            return verdict
        }
        let state = FinalState(Client(board: board))
        _ = try await eventually {
            guard try state.isQuiet() else { return false }
            verdict = try bank.audit(state, isOpen: try !state.entries("bank", "account/").isEmpty)
            return verdict.findings.isEmpty
        }
        return verdict
    }
}
