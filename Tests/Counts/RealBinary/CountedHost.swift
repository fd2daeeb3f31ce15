import FaultHarness
import Foundation
import Support

/// The real binary with a function of each contract, watched by what counts its calls.
struct CountedHost {
    let pid: Int32
    private let connection: HTTPConnection

    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    /// - Parameters:
    ///   - launcher: a program, by its absolute path, and its arguments, which becomes the host.
    ///   - folder: the host's data and logs.
    static func with<Result>(
        launcher: [String] = [], environment: [String: String] = [:], in folder: String,
        _ body: (CountedHost) throws -> Result
    ) async throws -> Result {
        let manifests = folder + "/manifests"
        try FileManager.default.createDirectory(atPath: manifests, withIntermediateDirectories: true)
        for (name, text) in Self.manifests {
            try text.write(toFile: "\(manifests)/\(name).yaml", atomically: true, encoding: .utf8)
        }
        let board = HostBoard()
        let host = try HostProcess(
            folder: folder, build: build, launcher: launcher, environment: environment, board: board)
        guard try await host.start(), let found = board.host else {
            throw Failure(description: (try? String(contentsOfFile: host.logPath, encoding: .utf8)) ?? "no host")
        }
        defer { host.kill() }
        return try body(CountedHost(pid: found.pid, connection: HTTPConnection(port: found.port)))
    }

    /// What `count` grows by with so many requests, after enough others that everything is in place.
    func growth<Counts>(
        of count: () throws -> Counts, with requests: Int, to path: String, queued: Bool = false
    ) throws -> (before: Counts, after: Counts) {
        for _ in 0..<min(requests, 200) { try request(path, queued) }
        let before = try count()
        for _ in 0..<requests { try request(path, queued) }
        return (before, try count())
    }

    private func request(_ path: String, _ queued: Bool) throws {
        let headers = queued ? [("Prefer", "respond-async"), ("Apus-After", "1h")] : []
        let response = try connection.request("GET", path, headers: headers)
        guard response.status == (queued ? 202 : 200) else {
            throw Failure(description: "\(path): \(response.status) \(response.text)")
        }
    }

    private static let manifests: [String: String] = [
        "apus": manifest("apus", "/apus", "command: [\(build)/Hello], contract: apus"),
        "http": manifest(
            "http", "/http/echo",
            "command: [python3, server.py], contract: http, directory: \(repository)/Tests/WorkersTests/Servers"),
        "lambda": manifest(
            "lambda", "/lambda",
            """
            command: [\(repository)/.build/weekday-python/bin/python3, -m, awslambdaric, handler.handler],
            contract: lambda, directory: \(repository)/Functions/weekday
            """),
        "stdio": manifest("stdio", "/stdio", "command: [cat], contract: stdio"),
        "cgi": manifest("cgi", "/cgi", #"command: [printf, "Content-Type: text/plain\n\nHello!\n"], contract: cgi"#),
        "change": manifest("change", "/change/{operation}", "command: [\(build)/ContractWorker], contract: apus"),
    ]

    private static func manifest(_ name: String, _ path: String, _ handler: String) -> String {
        """
        name: \(name)
        handler: { \(handler.split(separator: "\n").joined(separator: " ")) }
        triggers: [{ http: { path: "\(path)" } }]
        workers: { max: 1, idle: 10m }
        limits: { wait: 60s }
        """
    }
}

/// Where the build has put its products: beside the test bundle, which is the first argument of its runner.
let build = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent().path

private let repository = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent().path
