import Admin
import ArgumentParser
import Events
import Foundation
import Manifests
import Schedules
import Triggers

struct TimersCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "timers", abstract: "Shows what timers will fire when.",
        discussion: """
            Reads the manifests and runs their timers on a clock of its own: no host is asked and nothing is started. \
            Each line has the time in UTC and in the timer's zone, and what the clocks do to it where they change. \
            Jitter, and what 'overlap' and 'missed' decide as the host runs, are not foreseen.

            Examples:

              apus timers                              the next two days
              apus timers --from 2026-10-24 --for 3d   clocks change in Europe
              apus timers manifests/digest.yaml --for 365d | less
            """)

    @Argument(help: "Manifest files and folders of them.", completion: .file(extensions: ["yaml", "yml"]))
    var manifests: [String] = ["manifests"]

    @Option(help: ArgumentHelp("Where to begin: now, 2026-10-24, 2026-10-24T18:00:00+02:00.", valueName: "time"))
    var from: Moment = .now

    @Option(name: .customLong("for"), help: ArgumentHelp("How long: 48h, 7d, 1d12h; at most 3660d.", valueName: "time"))
    var length = TimeSpan(.seconds(48 * 3600))

    @Flag(help: "Print one JSON object a line.")
    var json = false

    func validate() throws {
        if length.duration > .seconds(3660 * 86_400) { throw ValidationError("--for must be at most 3660d, ten years") }
    }

    func run() async throws {
        try await reporting {
            // Whether programs are built does not matter here.
            let loaded = ManifestLoader.load(manifests, handlers: .unchecked)
            guard loaded.problems.isEmpty else {
                let problems = loaded.problems.map(\.description).joined(separator: "\n")
                throw Failure(.configuration, "nothing is foreseen, since the manifests have problems:\n\(problems)")
            }
            let page = ForecastPage(loaded.manifests)
            if !json { Terminal.line(page.title) }
            for line in try TimerForecast(loaded.manifests, from: from.time(), for: length.duration) {
                Terminal.line(try json ? page.json(line) : page.text(line))
            }
        }
    }
}

/// Shows the lines of a forecast one by one, in columns whose widths follow from the manifests alone.
struct ForecastPage {
    /// What tells the timers of a function apart, by their index.
    private let timers: [String: [String]]
    private let functionWidth: Int
    private let timerWidth: Int

    init(_ manifests: [Manifest]) {
        timers = Dictionary(
            manifests.map { manifest in
                (manifest.name, manifest.triggers.filter { $0.kind == .timer }.map { String($0.summary.dropFirst(6)) })
            }, uniquingKeysWith: { first, _ in first })
        let used = timers.filter { !$0.value.isEmpty }
        functionWidth = max("FUNCTION".count, used.keys.map(\.count).max() ?? 0)
        timerWidth = max("TIMER".count, used.values.joined().map(\.count).max() ?? 0)
    }

    var title: String { row("UTC", "LOCAL", "ZONE", "FUNCTION", "TIMER", "REMARK") }

    func text(_ line: TimerForecast.Line) -> String {
        let remark = line.fires ? line.remark : "does not fire: \(line.remark ?? "the time is skipped")"
        return row(
            line.time.description, line.local, line.zoneAbbreviation, line.function, timer(of: line), remark ?? "")
    }

    func json(_ line: TimerForecast.Line) throws -> String {
        let document = Document(
            time: line.time.description, local: line.local, zone: line.zoneAbbreviation, function: line.function,
            timer: timer(of: line), fires: line.fires, remark: line.remark)
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(document), as: UTF8.self)
    }

    private struct Document: Encodable {
        var time: String
        var local: String
        var zone: String
        var function: String
        var timer: String
        var fires: Bool
        var remark: String?
    }

    private func timer(of line: TimerForecast.Line) -> String {
        guard let all = timers[line.function], all.indices.contains(line.index) else { return "" }
        return all[line.index]
    }

    private func row(
        _ time: String, _ local: String, _ zone: String, _ function: String, _ timer: String, _ remark: String
    ) -> String {
        let cells = [(time, 24), (local, 25), (zone, 5), (function, functionWidth), (timer, timerWidth)]
        let text = cells.map { $0.0 + String(repeating: " ", count: max(0, $0.1 - $0.0.count)) }.joined(separator: "  ")
        let line = text + "  " + remark
        return String(line.prefix(line.count - line.reversed().prefix { $0 == " " }.count))
    }
}
