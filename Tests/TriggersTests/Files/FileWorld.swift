import Events
import Foundation
import Logging
import Manifests
import Storage
import Support
import Synchronization
import Testing
import Triggers

/// A watched folder, a store and a running file service, all of them fresh.
final class FileWorld: Sendable {
    /// Longer than any tool of the tests pauses between two writes to a file, also on a busy machine.
    static let settle: Duration = .milliseconds(500)

    let base: String
    let store: Store
    let service: FileService
    private let seen = Mutex<[String: [Event]]>([:])

    init(base: String, store: Store, ledger: FileLedger? = nil) {
        self.base = base
        self.store = store
        let notified = Signal()
        service = FileService(
            ledger: ledger ?? FileLedger(store: store), notify: { notified.count.withLock { $0 += 1 } },
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        signal = notified
    }

    private final class Signal: Sendable { let count = Mutex(0) }
    private let signal: Signal
    var notifications: Int { signal.count.withLock { $0 } }

    var inbox: String { base + "/inbox" }

    static func manifest(_ name: String = "f", _ triggers: FileTrigger...) -> Manifest {
        Manifest(
            name: name, handler: Handler(command: ["/bin/true"], contract: .stdio, directory: "/"),
            triggers: triggers.map { .file($0) })
    }

    func trigger(
        _ folder: String? = nil, include: [String] = [], exclude: [String] = [],
        events: Set<FileTrigger.Kind> = Set(FileTrigger.Kind.allCases), settle: Duration = FileWorld.settle,
        existing: FileTrigger.Existing = .ignore
    ) -> FileTrigger {
        FileTrigger(
            watch: folder ?? inbox, include: include.map { Glob($0) }, exclude: exclude.map { Glob($0) },
            events: events, settle: settle, existing: existing)
    }

    /// Runs the service until `body` is done.
    func serving(
        _ manifests: [Manifest], until state: FileTriggerState = .watching, _ body: () async throws -> Void
    ) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await self.service.run() }
            defer { group.cancelAll() }
            try await service.update(manifests)
            try await wait { service.states.count > 0 && service.states.values.allSatisfy { $0 == state } }
            try await body()
        }
    }

    struct TimedOut: Error, CustomStringConvertible {
        var description: String
    }

    func wait(_ condition: () async throws -> Bool) async throws {
        guard try await eventually(within: .seconds(60), condition) else {
            throw TimedOut(description: "states \(service.states), events \(seen.withLock { $0.mapValues(\.count) })")
        }
    }

    /// Takes what is in the queue; returns all events of `function` so far.
    func events(_ function: String = "f") async throws -> [Event] {
        while true {
            let leased = try await store.lease(function: function, limit: 1000, now: .now().advanced(by: .seconds(1)))
            if leased.isEmpty { return seen.withLock { $0[function, default: []] } }
            for lease in leased {
                _ = try await store.commit(Commit(effects: nil, settle: (lease.lease, .done)))
                seen.withLock { $0[function, default: []].append(lease.invocation.event) }
            }
        }
    }

    /// Waits until all that happened so far is delivered: files that are made one after the other, each when the one
    /// before has been delivered, for longer than a half of a rename is held.
    func settled(_ function: String = "f", in folder: String? = nil) async throws {
        for _ in 0..<2 {
            let name = "quiet-\(UInt64.random(in: 0...UInt64.max)).csv"
            try write("\(folder ?? inbox)/\(name)", "")
            try await wait { try await events(function).contains { $0.subject?.hasSuffix(name) == true } }
        }
    }

    /// All that happened, as sorted lines such as `created a/b` or `moved a -> b`, once it is delivered.
    func story(_ function: String = "f") async throws -> [String] {
        try await settled(function)
        let told = try await events(function).filter { $0.subject?.contains("quiet-") == false }
        seen.withLock { $0[function] = [] }
        return told.map(Self.line).sorted()
    }

    func tells(
        _ expected: [String], to function: String = "f", sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        let told = try await story(function)
        #expect(told == expected, sourceLocation: sourceLocation)
    }

    static func line(_ event: Event) -> String {
        let kind = event.type.replacing("apus.file.", with: "")
        let old = event.extensions["oldname"].map { "\($0) -> " } ?? ""
        return "\(kind) \(old)\(event.subject ?? "")"
    }

    func write(_ path: String, _ text: String) throws {
        try Data(text.utf8).write(to: URL(fileURLWithPath: path.hasPrefix("/") ? path : "\(inbox)/\(path)"))
    }

    /// Runs `script` in the inbox; `$base` is the folder around it.
    func shell(_ script: String) async throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/bin/sh")
        process.arguments = ["-euc", script]
        process.currentDirectoryURL = URL(fileURLWithPath: FileManager.default.fileExists(atPath: inbox) ? inbox : base)
        process.environment = [
            "PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "HOME": base, "base": base, "LC_ALL": "C.UTF-8",
            "GIT_CONFIG_NOSYSTEM": "1", "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b", "GIT_COMMITTER_NAME": "a",
            "GIT_COMMITTER_EMAIL": "a@b",
        ]
        process.standardOutput = FileHandle.nullDevice
        let status = try await withCheckedThrowingContinuation { continuation in
            process.terminationHandler = { continuation.resume(returning: $0.terminationStatus) }
            do { try process.run() } catch { continuation.resume(throwing: error) }
        }
        if status != 0 { throw TimedOut(description: "exit status \(status): \(script)") }
    }
}

/// A fresh world with an empty inbox.
func withFileWorld(_ body: (FileWorld) async throws -> Void) async throws {
    try await withTemporaryFolder { base in
        try FileManager.default.createDirectory(atPath: base + "/inbox", withIntermediateDirectories: false)
        let store = try Store(directory: base + "/data")
        try await body(FileWorld(base: base, store: store))
        try store.close()
    }
}
