import ArgumentParser
import FaultChecking
import FaultHarness
import Foundation

/// Kills hosts and workers for as long as it is told, and checks what came of it.
@main
struct SoakCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "soak",
        abstract: "Kills hosts and workers, and checks that nothing accepted is lost and nothing is applied twice.",
        discussion: """
            Runs rounds of a minute, each on a fresh data folder. Exits with 1 when a promise was broken; the folder of \
            that round stays, and says what happened.
            """)

    @Option(help: "How long.")
    var minutes = 20.0

    @Option(help: "Of a run that is to come again; default: another one each time.")
    var seed: UInt64 = .random(in: 0..<1_000_000)

    @Option(
        help: "Which, separated by commas.", transform: { $0.split(separator: ",").map(String.init) })
    var workloads = Workloads.names

    @Option(help: "Seconds of a round.")
    var round = 60.0

    @Option(name: .customLong("sweep"), help: "How many system calls are swept over after each round.")
    var callsInRow = 20

    @Option(help: "What the host is to do wrong, such as versions: to show that the harness finds it.")
    var weaken: String?

    @Option(
        help: "What stands between the host and its disk; default: sound, injected and powerCuts in turn.")
    var disk: Disk?

    @Option(help: "Where the folders of the rounds are made.", completion: .directory)
    var folder = FileManager.default.temporaryDirectory.path

    func validate() throws {
        for name in workloads where !Workloads.names.contains(name) {
            throw ValidationError(
                "no workload is named '\(name)'; there are \(Workloads.names.joined(separator: ", "))")
        }
    }

    func run() async throws {
        say("seed \(seed), \(minutes) minutes, \(workloads.joined(separator: ", "))")
        let end = ContinuousClock.now + .seconds(minutes * 60)
        var summary = Summary()
        var number = 0
        var nextCall = 1
        while ContinuousClock.now < end {
            let folder = try emptyFolder("apus-soak-\(seed)-\(number)")
            note(try await makeRound(number, until: end).run(in: folder), &summary)
            say("round \(number): \(summary.line)")
            number += 1
            if weaken == nil, disk != .lying { try await sweep(&nextCall, &summary) }
        }
        say(summary.table)
        if !summary.isClean { throw ExitCode(1) }
    }

    /// A few of the system calls, from where the last sweep has ended.
    private func sweep(_ call: inout Int, _ summary: inout Summary) async throws {
        let sweep = Sweep(seed: seed, build: build)
        for _ in 0..<callsInRow {
            let folder = try emptyFolder("apus-sweep-\(seed)-\(call)")
            let report = try await sweep.report(killingAt: call, call % 2 == 0 ? .injected : .powerCuts, in: folder)
            if report.kills.hosts == 0 { say("sweep: the host died at each of \(call - 1) system calls") }
            call = report.kills.hosts == 0 ? 1 : call + 1
            note(report, &summary)
        }
    }

    /// Without what an earlier run with this seed has left, which would count as this one's.
    private func emptyFolder(_ name: String) throws -> String {
        let path = "\(folder)/\(name)"
        if FileManager.default.fileExists(atPath: path) { try FileManager.default.removeItem(atPath: path) }
        return path
    }

    private func note(_ report: Round.Report, _ summary: inout Summary) {
        summary.add(report)
        guard !report.findings.isEmpty else {
            try? FileManager.default.removeItem(atPath: report.folder)
            return
        }
        for finding in report.findings.prefix(20) { say("  \(finding)") }
        say("  see \(report.folder): data, logs, history/*.jsonl; replay with --seed \(seed)")
    }

    private var build: String { URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent().path }

    private func makeRound(_ number: Int, until end: ContinuousClock.Instant) -> Round {
        let left = max(.seconds(5), end - .now)
        var round = Round(
            seed: seed &+ UInt64(number), duration: min(.seconds(self.round), left),
            workloads: Workloads.all.filter { workloads.contains($0.name) },
            build: build)
        round.disk = disk ?? [.sound, .injected, .powerCuts][number % 3]
        round.patience = weaken != nil || disk == .lying ? .seconds(5) : .seconds(60)
        if let weaken { round.environment["APUS_WEAKEN"] = weaken }
        return round
    }
}

/// Past the buffer of `stdout`, so that each line is there at once.
private func say(_ line: String) { FileHandle.standardOutput.write(Data((line + "\n").utf8)) }

extension Disk: ExpressibleByArgument {}
