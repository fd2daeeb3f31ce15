import Apus
import Synchronization
import Wire

/// A call's way to the other side, where the other side is memory.
final class MemoryLink: CallLink {
    private struct Contents {
        var phase = CallPhase.running
        var body: [[UInt8]]
        var written: [UInt8] = []
        var scopes: [UInt32: Transaction] = [:]
        var lastScope: UInt32 = 0
    }

    private let contents: Mutex<Contents>
    private let host: TestHost

    init(body: [[UInt8]], host: TestHost) {
        contents = Mutex(Contents(body: body.filter { !$0.isEmpty }))
        self.host = host
    }

    // MARK: For the test host

    var written: [UInt8] { contents.withLock { $0.written } }

    func enter(_ phase: CallPhase) { contents.withLock { $0.phase = phase } }

    /// Commits what the call itself has read, written and sent, and returns it; `nil` is a conflict.
    func commit() -> Transaction? { commit(0) }

    private func commit(_ scope: UInt32) -> Transaction? {
        guard let transaction = contents.withLock({ $0.scopes.removeValue(forKey: scope) }) else {
            return Transaction()
        }
        let applied = host.commit { transaction.commit(to: &$0) }
        return applied ? transaction : nil
    }

    // MARK: CallLink

    func begin(
        _ request: UInt32, _ scope: UInt32, _ operation: StateRequest,
        _ reply: UnsafeContinuation<StateReply, any Error>
    ) {
        reply.resume(with: Result { try perform(operation, in: scope) })
    }

    // All is done at once: nothing waits that could be cancelled.

    func newRequest() -> UInt32 { 1 }

    func cancelRequest(_ request: UInt32) {}

    var isInOwnTask: Bool { true }

    func lookUp(_ key: String, in scope: UInt32) -> [UInt8]? { nil }

    func increment(_ key: String, by amount: Int, in scope: UInt32) -> Int? { nil }

    func submit(_ scope: UInt32, _ operation: StateRequest) throws -> Bool {
        if case .failed(_, let message) = try perform(operation, in: scope) {
            throw RefusedWrite(description: message)
        }
        return true
    }

    private func perform(_ operation: StateRequest, in scope: UInt32) throws -> StateReply {
        try Task.checkCancellation()
        try contents.withLock { try $0.phase.checkState(scope) }
        if let message = host.stateFailure { return .failed(code: "unavailable", message: message) }
        switch operation {
        case .commit where scope != 0:
            guard let transaction = commit(scope) else { return .conflict }
            host.recordImmediate(transaction)
            return .done
        case .abandon where scope != 0:
            contents.withLock { $0.scopes[scope] = nil }
            return .done
        case .abandon:
            contents.withLock { $0.scopes[scope]?.abandonWrites() }
            return .done
        default:
            let store = host.snapshot
            return contents.withLock { $0.scopes[scope, default: Transaction()].operate(operation, on: store) }
        }
    }

    func newScope() -> UInt32 {
        contents.withLock { contents in
            contents.lastScope += 1
            return contents.lastScope
        }
    }

    func log(_ level: LogLevel, _ text: String, _ metadata: [WireField]) {
        host.record(TestHost.LogLine(level: level, text: text, metadata: metadata.map { ($0.name, $0.value) }))
    }

    func nextChunk() async throws -> [UInt8]? {
        try Task.checkCancellation()
        return contents.withLock { $0.body.isEmpty ? nil : $0.body.removeFirst() }
    }

    func write(_ bytes: [UInt8]) async throws {
        try Task.checkCancellation()
        contents.withLock { $0.written += bytes }
    }
}

/// A write that the host refused; on a real host it fails the call, too.
struct RefusedWrite: Error, CustomStringConvertible {
    var description: String
}
