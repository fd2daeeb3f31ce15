package import Events
import Synchronization

/// A running call that a program acts for from outside its contract, through the worker API.
///
/// Its operations may come at the same time, and run one after the other in the order of their coming.
package final class JoinedCall: Sendable {
    /// Why an operation was not done.
    package enum Refusal: Error, Sendable {
        /// The handler has answered or failed.
        case over
        /// As many operations wait as may.
        case tooMany
    }

    /// Told why it may not go on, or nothing.
    private typealias Turn = CheckedContinuation<Refusal?, Never>

    private enum Phase {
        case running
        /// What waits is done still.
        case finishing
        case aborted
    }

    private struct Turns {
        var phase = Phase.running
        var isTaken = false
        var waiting: [Turn] = []
        var lastScope: StateScope = 0
        /// Told when the last operation is done.
        var end: (@Sendable () -> Void)?
    }

    /// Operations of one call that may wait.
    static let mostWaiting = 1024

    package var invocation: InvocationID { call.invocation.id }
    private let call: Call
    private let turns = Mutex(Turns())

    init(_ call: Call) { self.call = call }

    /// Does `operation` as one of the invocation's own effects, or commits it on the spot.
    package func operate(
        _ operation: StateOperation, immediately: Bool
    ) async throws(Refusal) -> Result<StateResult, StateError> {
        let scope = try await takeTurn(newScope: immediately)
        defer { passTurn() }
        let result = call.state.operate(scope, operation)
        guard immediately else { return result }
        guard case .success(let value) = result else {
            _ = call.state.operate(scope, .abandon)
            return result
        }
        let commit = await call.state.commit(scope)
        guard case .success(.done) = commit else { return commit }
        return .success(value)
    }

    /// Takes nothing more, and calls `end` when all that has come is done: perhaps at once.
    func finish(_ end: @escaping @Sendable () -> Void) {
        let isIdle = turns.withLock { turns in
            turns.phase = .finishing
            if turns.isTaken { turns.end = end }
            return !turns.isTaken
        }
        if isIdle { end() }
    }

    /// Takes nothing more, and drops what waits.
    func abort() {
        let waiting = turns.withLock { turns in
            turns.phase = .aborted
            defer { turns.waiting = [] }
            return turns.waiting
        }
        for continuation in waiting { continuation.resume(returning: .over) }
    }

    /// Returns the scope to work in when it is this operation's turn.
    private func takeTurn(newScope: Bool) async throws(Refusal) -> StateScope {
        let refusal = await withCheckedContinuation { continuation in
            let answer = turns.withLock { turns -> Refusal?? in
                guard turns.phase == .running else { return .some(.over) }
                guard turns.isTaken else {
                    turns.isTaken = true
                    return .some(nil)
                }
                guard turns.waiting.count < Self.mostWaiting else { return .some(.tooMany) }
                turns.waiting.append(continuation)
                return nil
            }
            if let answer { continuation.resume(returning: answer) }
        }
        if let refusal { throw refusal }
        guard newScope else { return 0 }
        return turns.withLock { turns in
            turns.lastScope += 1
            return turns.lastScope
        }
    }

    private func passTurn() {
        let (next, end) = turns.withLock { turns -> (Turn?, (@Sendable () -> Void)?) in
            guard turns.waiting.isEmpty else { return (turns.waiting.removeFirst(), nil) }
            turns.isTaken = false
            defer { turns.end = nil }
            return (nil, turns.end)
        }
        next?.resume(returning: nil)
        end?()
    }
}
