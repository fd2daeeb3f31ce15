import Foundation
import Support

/// A program in Python that runs under the fault injector, in a folder of its own. Its sqlite3 and its os functions call
/// libc as every program does.
struct Script {
    let folder: String
    let faults: Faults

    struct Result {
        var status: Int32
        var wasKilled: Bool
        var output: String
    }

    static func with(undo: Faults.Undo = .none, _ body: (Script) throws -> Void) async throws {
        try await withTemporaryFolder { folder in
            let data = folder + "/data"
            try FileManager.default.createDirectory(atPath: data, withIntermediateDirectories: true)
            try body(Script(folder: data, faults: try Faults(below: data, undo: undo)))
        }
    }

    private static let prelude = """
        import errno, os, socket, sqlite3, sys
        def put(name, bytes, offset=0, sync=False, flags=os.O_RDWR | os.O_CREAT):
            file = os.open(name, flags)
            os.pwrite(file, bytes, offset)
            if sync: os.fsync(file)
            os.close(file)
        def database():
            db = sqlite3.connect("test.db", isolation_level=None)
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = FULL")
            return db
        def insert(db, value): db.execute("INSERT INTO t VALUES (?)", (value,))

        """

    /// Runs `text` in the folder; what it prints, errors too, is its output.
    func run(_ text: String) throws -> Result {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/python3")
        process.environment = ProcessInfo.processInfo.environment.merging(faults.environment) { $1 }
        process.arguments = ["-c", Self.prelude + text]
        process.currentDirectoryURL = URL(fileURLWithPath: folder)
        let output = Pipe()
        process.standardOutput = output
        process.standardError = output
        try process.run()
        let said = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return Result(
            status: process.terminationStatus, wasKilled: process.terminationReason == .uncaughtSignal,
            output: String(decoding: said, as: UTF8.self))
    }

    func content(_ name: String) -> String? { try? String(contentsOfFile: "\(folder)/\(name)", encoding: .utf8) }

    func cutPower(keeping: (UInt64) -> Bool = { _ in false }) throws {
        try PowerCut(of: faults).happen(below: folder, keeping: keeping)
    }
}
