import FaultChecking
import Foundation
import Support

/// The real binary on a data folder that outlives it, told on a board for those who look for it.
package final class HostProcess {
    package let folder: String
    private let build: String
    private let launcher: [String]
    private let environment: [String: String]
    private let board: HostBoard
    /// What stands between the host and the kernel, if anything.
    let faults: Faults?
    private let disk: Disk
    private var process = Process()
    private var starts = 0

    package var pid: Int32 { process.processIdentifier }
    package var isRunning: Bool { process.isRunning }
    package var data: String { folder + "/data" }
    /// Of the host that was started last.
    package var logPath: String { "\(folder)/logs/host-\(starts).log" }

    /// - Parameters:
    ///   - folder: has `manifests/`.
    ///   - build: where `apus` is.
    ///   - launcher: a program, by its absolute path, and its arguments, which becomes the host.
    package init(
        folder: String, build: String, launcher: [String] = [], environment: [String: String] = [:], board: HostBoard,
        disk: Disk = .sound
    ) throws {
        self.folder = folder
        self.build = build
        self.launcher = launcher
        self.environment = environment
        self.board = board
        try FileManager.default.createDirectory(atPath: folder + "/logs", withIntermediateDirectories: true)
        self.disk = disk
        faults = try disk.faults(below: folder + "/data")
    }

    deinit { kill() }

    /// Starts the host and waits until it is ready. `false` when it died before that.
    package func start(environment more: [String: String] = [:]) async throws -> Bool {
        try spawn(more)
        var host: HostBoard.Host?
        _ = await eventually(within: .seconds(60)) {
            guard process.isRunning else { return true }
            guard let found = self.announced() else { return false }
            let isReady =
                (try? HTTPConnection(port: found.adminPort, timeout: 5).request("GET", "/readyz").status) == 200
            if isReady { host = found }
            return isReady
        }
        guard host != nil || !process.isRunning else {
            throw HostFailure("the host does not get ready within a minute; see \(logPath); \(threads)")
        }
        board.set(host)
        return host != nil
    }

    /// What each of its threads does, as the kernel sees it (proc_pid_wchan(5), proc_pid_syscall(5)).
    private var threads: String {
        let tasks = "/proc/\(pid)/task"
        let names = (try? FileManager.default.contentsOfDirectory(atPath: tasks)) ?? []
        return names.map { name in
            ["comm", "wchan", "syscall"].map { file in
                ((try? String(contentsOfFile: "\(tasks)/\(name)/\(file)", encoding: .utf8)) ?? "")
                    .trimmingCharacters(in: .whitespacesAndNewlines)
            }.joined(separator: " ")
        }.joined(separator: "; ")
    }

    /// SIGKILL, and waits for the end.
    package func kill() {
        board.set(nil)
        guard process.isRunning else { return }
        Glibc.kill(pid, SIGKILL)
        process.waitUntilExit()
    }

    /// Kills it, and with it the power where the disk says so.
    func die(_ random: inout SeededGenerator) throws {
        kill()
        guard disk.cutsPower, let faults else { return }
        let share = [0, 50, 90][random.below(3)]
        try PowerCut(of: faults).happen(below: data) { _ in random.chance(share) }
    }

    /// What `apus check --data` finds wrong with the database; `nil` when nothing.
    func damage() throws -> String? {
        let check = Process()
        let output = Pipe()
        check.executableURL = URL(fileURLWithPath: build + "/apus")
        check.arguments = ["check", "--data", data]
        check.standardOutput = output
        check.standardError = output
        try check.run()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        check.waitUntilExit()
        return check.terminationStatus == 0 ? nil : text
    }

    /// What ended it: an exit status, or the number of a signal.
    package func wait() -> Int32 {
        process.waitUntilExit()
        board.set(nil)
        return process.terminationStatus
    }

    private func spawn(_ more: [String: String]) throws {
        process = Process()
        starts += 1
        let command =
            launcher + [
                build + "/apus", "serve", folder + "/manifests", "--data", data, "--listen", "127.0.0.1:0", "--admin",
                "127.0.0.1:0", "--log-format", "plain",
            ]
        process.executableURL = URL(fileURLWithPath: command[0])
        process.arguments = Array(command.dropFirst())
        process.environment = ProcessInfo.processInfo.environment.merging(faults?.environment ?? [:]) { $1 }
            .merging(environment) { $1 }.merging(more) { $1 }
        guard FileManager.default.createFile(atPath: logPath, contents: nil),
            let log = FileHandle(forWritingAtPath: logPath)
        else { throw HarnessFailure("cannot write \(logPath)") }
        process.standardOutput = log
        process.standardError = log
        process.standardInput = FileHandle.nullDevice
        try process.run()
    }

    private func announced() -> HostBoard.Host? {
        let log = (try? String(contentsOfFile: logPath, encoding: .utf8)) ?? ""
        let served =
            Self.port(after: "functions on http://", in: log) ?? Self.port(after: "function on http://", in: log)
        guard let port = served, let adminPort = Self.port(after: "admin API on http://", in: log) else { return nil }
        return HostBoard.Host(pid: pid, port: port, adminPort: adminPort)
    }

    private static func port(after words: String, in text: String) -> Int? {
        guard let words = text.range(of: words) else { return nil }
        guard let colon = text[words.upperBound...].firstIndex(of: ":") else { return nil }
        return Int(text[text.index(after: colon)...].prefix { $0.isNumber })
    }
}
