package import FaultChecking
import Foundation

/// Where a workload lives in one round.
package struct Place: Sendable {
    /// Of the round; with `manifests/` and `history/`.
    package let folder: String
    /// The program of the handlers.
    package let worker: String

    /// Makes the folder of a round.
    init(preparing folder: String, build: String) throws {
        self.folder = folder
        worker = build + "/FaultWorker"
        for name in ["manifests", "history"] {
            try FileManager.default.createDirectory(atPath: "\(folder)/\(name)", withIntermediateDirectories: true)
        }
    }

    /// - Parameter manifests: YAML by file name without its ending.
    func write(_ manifests: [String: String]) throws {
        for (name, text) in manifests {
            try text.write(toFile: "\(folder)/manifests/\(name).yaml", atomically: true, encoding: .utf8)
        }
    }

    var handler: String { "handler: { command: [\(worker)], contract: apus }" }

    /// What every function here has: many attempts, since workers are killed under them, and no rest after failures.
    var policies: String {
        """
        workers: { max: 2, concurrency: 16, breaker: off }
        limits: { time: 10s, wait: 10s }
        retry: { attempts: 100, first: 10ms, longest: 200ms }
        """
    }

    func history<Entry>(_ name: String) throws -> History<Entry> {
        try History("\(folder)/history/\(name).jsonl")
    }
}

/// Functions, clients that use them, and an audit of what came of it.
package protocol Workload: Sendable {
    static var name: String { get }
    /// How many clients run at once.
    static var clients: Int { get }

    init(_ place: Place) throws

    /// YAML by file name without its ending.
    var manifests: [String: String] { get }
    /// Once, before the clients.
    func open(_ client: Client) throws
    /// One thing that a client does; called again and again.
    /// - Parameter id: unique in the round.
    func step(_ client: Client, id: String, _ random: inout SeededGenerator)
    /// Compares what the clients were told with what is there, when nothing runs any more.
    func audit(_ state: FinalState) throws -> Verdict
}

extension Workload {
    package func open(_ client: Client) throws {}
}
