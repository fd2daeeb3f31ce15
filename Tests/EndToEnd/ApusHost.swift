import Foundation
import Support

/// The real binary, serving manifests that a test wrote, in a folder that goes with the test.
final class ApusHost {
    let folder: String
    private let launcher: [String]
    private let arguments: [String]
    private let environment: [String: String]
    /// Passed as systemd does, by their names; at most two.
    private let sockets: [(name: String, port: ListeningPort)]
    private var process = Process()
    private(set) var port = 0
    private(set) var adminPort = 0

    var pid: Int32 { process.processIdentifier }
    var data: String { folder + "/data" }
    var log: String { (try? String(contentsOfFile: folder + "/host.log", encoding: .utf8)) ?? "" }

    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    /// Where the build has put its products: beside the test bundle, which is the first argument of its runner.
    static let build = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent().path

    private init(
        folder: String, launcher: [String], arguments: [String], environment: [String: String],
        sockets: [(name: String, port: ListeningPort)]
    ) {
        self.folder = folder
        self.launcher = launcher
        self.arguments = arguments
        self.environment = environment
        self.sockets = sockets
    }

    /// Runs `body` with a host that is ready; whatever happens, the host is gone afterwards.
    ///
    /// - Parameters:
    ///   - manifests: YAML by file name without its ending.
    ///   - launcher: a program, by its absolute path, and its arguments, which becomes the host.
    ///   - sockets: what the host is to serve on, with names; the first two.
    ///   - prepare: puts beside them what they need.
    static func with<Result>(
        _ manifests: [String: String], launcher: [String] = [], arguments: [String] = [],
        environment: [String: String] = [:], sockets: [(name: String, port: ListeningPort)] = [],
        prepare: (_ folder: String) throws -> Void = { _ in }, _ body: (ApusHost) async throws -> Result
    ) async throws -> Result {
        try await withTemporaryFolder { folder in
            let host = ApusHost(
                folder: folder, launcher: launcher + Self.passing(sockets.map(\.name)), arguments: arguments,
                environment: environment, sockets: sockets)
            try FileManager.default.createDirectory(atPath: folder + "/manifests", withIntermediateDirectories: true)
            for (name, text) in manifests { try host.write(manifest: name, text) }
            try prepare(folder)
            try await host.start()
            do {
                let result = try await body(host)
                host.kill()
                return result
            } catch {
                host.kill()
                FileHandle.standardError.write(Data("--- the host's log:\n\(host.log.suffix(60000))\n".utf8))
                throw error
            }
        }
    }

    func write(manifest name: String, _ text: String) throws {
        try text.write(toFile: "\(folder)/manifests/\(name).yaml", atomically: true, encoding: .utf8)
    }

    /// Starts the host on the data folder of the last one, and waits until it is ready.
    func start(environment more: [String: String] = [:]) async throws {
        process = Process()
        process.executableURL = URL(fileURLWithPath: launcher.first ?? Self.build + "/apus")
        process.arguments =
            (launcher.isEmpty ? [] : launcher.dropFirst() + [Self.build + "/apus"])
            + ["serve", folder + "/manifests", "--data", data, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]
            + arguments
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }.merging(more) { $1 }
            // Work for a lane that has ended is a crash, and not a line in the log.
            .merging(["SWIFTNIO_STRICT": "1"]) { $1 }
        let path = folder + "/host.log"
        let before = log.utf8.count
        if before == 0 { _ = FileManager.default.createFile(atPath: path, contents: nil) }
        guard let output = FileHandle(forWritingAtPath: path) else {
            throw Failure(description: "cannot write \(path)")
        }
        output.seekToEndOfFile()
        process.standardOutput = sockets.count > 1 ? sockets[1].port.handle : output
        process.standardError = output
        process.standardInput = sockets.first?.port.handle ?? FileHandle.nullDevice
        try process.run()
        let isUp = try await eventually {
            guard process.isRunning else { throw Failure(description: "the host ended: \(log.suffix(4000))") }
            let said = String(log.utf8.dropFirst(before)) ?? ""
            let served = Self.port(after: "functions on http://", in: said)
            guard let port = served ?? Self.port(after: "function on http://", in: said),
                let adminPort = Self.port(after: "admin API on http://", in: said)
            else { return false }
            (self.port, self.adminPort) = (port, adminPort)
            return (try? HTTPConnection(port: adminPort).request("GET", "/readyz").status) == 200
        }
        guard isUp else { throw Failure(description: "the host does not get ready: \(log.suffix(4000))") }
    }

    /// A shell that becomes the host: its input and its output are the sockets, since `Process` passes nothing else. What
    /// is meant for a process has its id, which only that process knows before it is there.
    private static func passing(_ names: [String]) -> [String] {
        guard !names.isEmpty else { return [] }
        let second = names.count > 1 ? "4<&1 1>&2" : ""
        let script = """
            exec 3<&0 0</dev/null \(second)
            export LISTEN_FDS=\(names.count) LISTEN_FDNAMES=\(names.joined(separator: ":")) LISTEN_PID=$$
            exec "$0" "$@"
            """
        return ["/bin/sh", "-c", script]
    }

    private static func port(after words: String, in text: String) -> Int? {
        guard let words = text.range(of: words) else { return nil }
        guard let colon = text[words.upperBound...].firstIndex(of: ":") else { return nil }
        return Int(text[text.index(after: colon)...].prefix { $0.isNumber })
    }

    // MARK: Ending it

    /// SIGKILL, and waits for the end.
    func kill() {
        Glibc.kill(pid, SIGKILL)
        process.waitUntilExit()
    }

    func signal(_ number: Int32) { Glibc.kill(pid, number) }

    /// Waits for the end, and returns the exit status, or the number of the signal.
    func wait() -> Int32 {
        process.waitUntilExit()
        return process.terminationStatus
    }

    /// SIGTERM, waits for the end, and returns the exit status.
    func terminate() -> Int32 {
        Glibc.kill(pid, SIGTERM)
        process.waitUntilExit()
        return process.terminationStatus
    }

    // MARK: Talking to it

    func connect() throws -> HTTPConnection { try HTTPConnection(port: port) }

    func get(_ path: String) throws -> HTTPConnection.Response { try connect().request("GET", path) }

    func post(_ path: String, _ body: String = "") throws -> HTTPConnection.Response {
        try connect().request("POST", path, body: Array(body.utf8))
    }

    /// Runs a command that asks this host.
    func cli(_ arguments: String...) throws -> CommandResult { try cli(arguments) }

    func cli(_ arguments: [String]) throws -> CommandResult {
        try run(Self.build + "/apus", arguments, environment: ["APUS_ADMIN": "127.0.0.1:\(adminPort)"])
    }

    /// What the admin API says of a function.
    func function(_ name: String) throws -> Function {
        let response = try HTTPConnection(port: adminPort).request("GET", "/v1/functions/\(name)")
        return try JSONDecoder().decode(Detail.self, from: Data(response.body)).function
    }

    struct Function: Decodable {
        struct Pool: Decodable {
            struct Worker: Decodable {
                var pid: Int32
                /// Such as `idle`.
                var state: String
            }
            var workers: [Worker]
            var started: Int
        }
        struct Queue: Decodable {
            var waiting: Int
            var running: Int
            var done: Int
            var dead: Int
        }
        var pool: Pool
        /// Invocations that run now.
        var running: Int
        var queue: Queue
    }

    private struct Detail: Decodable { var function: Function }

    /// The processes whose parent is the host: its workers.
    var workerPIDs: [Int32] {
        let children = (try? run("/bin/ps", ["-o", "pid=", "--ppid", "\(pid)"]).output) ?? ""
        return children.split(separator: "\n").compactMap { Int32($0.trimmingCharacters(in: .whitespaces)) }
    }
}

extension ListeningPort {
    /// Another descriptor of the socket, which is closed with its handle.
    fileprivate var handle: FileHandle { FileHandle(fileDescriptor: duplicate(), closeOnDealloc: true) }
}

struct CommandResult {
    var status: Int32
    var output: String
    var error: String
}

/// Runs a program to its end.
func run(
    _ program: String, _ arguments: [String], environment: [String: String] = [:], directory: String? = nil
) throws -> CommandResult {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: program)
    process.arguments = arguments
    process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
    if let directory { process.currentDirectoryURL = URL(fileURLWithPath: directory) }
    process.standardInput = FileHandle.nullDevice
    // Files instead of pipes: a pipe that nobody drains stops a program that says much.
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    func file(_ name: String) throws -> FileHandle {
        let url = folder.appendingPathComponent(name)
        _ = FileManager.default.createFile(atPath: url.path, contents: nil)
        return try FileHandle(forWritingTo: url)
    }
    process.standardOutput = try file("out")
    process.standardError = try file("err")
    try process.run()
    process.waitUntilExit()
    func text(_ name: String) throws -> String {
        String(decoding: try Data(contentsOf: folder.appendingPathComponent(name)), as: UTF8.self)
    }
    return CommandResult(status: process.terminationStatus, output: try text("out"), error: try text("err"))
}
