import Events
import Storage
import Synchronization

/// The state that one run of an invocation sees, and what it will commit.
///
/// The handler's operations come here one after the other; the engine seals the invocation's own effects once the
/// handler has answered, and takes them.
final class InvocationState: Sendable {
    private struct Buffers {
        var open: [StateScope: EffectsBuffer] = [:]
        /// Scopes with a write that was refused, which its handler may not have waited for: they must not commit.
        var failures: [StateScope: StateError] = [:]
        var sealed = false
        var outbox: Outbox
        /// It is the end of a chain of events, and wanted to cause another one.
        var isTooDeep = false

        mutating func note(_ error: StateError) { isTooDeep = isTooDeep || error.code == .chainTooLong }

        /// Forgets a scope. Returns what it has gathered, or why it must not be applied.
        mutating func close(_ scope: StateScope) -> Result<EffectsBuffer?, StateError> {
            let buffer = open.removeValue(forKey: scope)
            return failures.removeValue(forKey: scope).map { .failure($0) } ?? .success(buffer)
        }
    }

    /// Units of effects that may be open at a time, each of which remembers what it has read.
    private static let mostScopes = 256

    private let store: Store
    private let namespace: String
    private let depth: Int
    private let subscriptions: Subscriptions
    /// Told when something has gone into the queue.
    private let queue: Signal
    private let buffers: Mutex<Buffers>

    init(
        store: Store, namespace: String, invocation: Invocation, subscriptions: Subscriptions, queue: Signal
    ) {
        self.store = store
        self.namespace = namespace
        depth = invocation.depth
        self.subscriptions = subscriptions
        self.queue = queue
        buffers = Mutex(Buffers(outbox: Outbox(invocation)))
    }

    /// Whether another try would end as this one has: at the end of a chain of events.
    var isTooDeep: Bool { buffers.withLock { $0.isTooDeep } }

    /// Ends the invocation's own scope. `nil` when it has neither read nor written.
    func seal() -> Effects? {
        buffers.withLock { buffers in
            buffers.sealed = true
            guard let buffer = buffers.open.removeValue(forKey: 0), !buffer.isEmpty else { return nil }
            return buffer.effects
        }
    }

    func operate(_ scope: StateScope, _ operation: StateOperation) async -> Result<StateResult, StateError> {
        switch operation {
        case .commit where scope == 0:
            return .failure(StateError(.invalid, "the invocation's own effects commit when its handler succeeds"))
        case .commit: return await commit(scope)
        case .abandon where scope == 0:
            // What it has read stays remembered, since its answer depends on it.
            return withBuffer(scope) { $0.abandonWrites() }.map { .done }
        case .abandon:
            _ = buffers.withLock { $0.close(scope) }
            return .success(.done)
        case .get, .increment, .list: return await perform(scope, operation)
        case .set, .delete: return noting(await perform(scope, operation), in: scope)
        case .send(let message): return noting(send(message, in: scope), in: scope)
        }
    }

    /// Keeps a scope with a failed write from its commit. The worker's connection sees to the invocation's own scope.
    private func noting(
        _ result: Result<StateResult, StateError>, in scope: StateScope
    ) -> Result<StateResult, StateError> {
        if scope != 0, case .failure(let error) = result {
            buffers.withLock { if $0.open[scope] != nil { $0.failures[scope] = error } }
        }
        return result
    }

    private func send(_ message: OutgoingMessage, in scope: StateScope) -> Result<StateResult, StateError> {
        let listeners = subscriptions.listeners(to: message.target)
        let made = buffers.withLock { buffers in
            let made = buffers.outbox.events(
                for: message, listeners: listeners, isImmediate: scope != 0, now: .now())
            if case .failure(let error) = made { buffers.note(error) }
            return made
        }
        // Said here already, so that the handler can do something else; the commit has the last word.
        if let full = try? made.get().first(where: { !store.hasRoom(for: $0.function) })?.function {
            let error = QueueFull(function: full, bounds: store.bounds(of: full))
            return .failure(StateError(.queueFull, error.description))
        }
        return made.flatMap { events in withBuffer(scope) { $0.send(events) }.flatMap { $0 } }
    }

    private func perform(_ scope: StateScope, _ operation: StateOperation) async -> Result<StateResult, StateError> {
        let lookup = withBuffer(scope) { $0.begin(operation) }
        do {
            switch lookup {
            case .failure(let error): return .failure(error)
            case .success(.none(let result)): return result
            case .success(.value(let key)):
                let value = try store.value(key, in: namespace)
                return withBuffer(scope) { $0.found(value, for: operation) }.flatMap { $0 }
            case .success(.scan(let prefix, let after, let limit)):
                let entries = try store.scan(
                    prefix: prefix, after: after, limit: limit, bytes: EffectsBuffer.maximumListed, in: namespace)
                let result = withBuffer(scope) { $0.found(entries, limit: limit, for: operation) }.flatMap { $0 }
                guard case .success(.entries([], more: true)) = result, let last = entries.last else { return result }
                return await goOn(scope, operation, after: last.key)
            }
        } catch {
            return .failure(StateError(.unavailable, "the state cannot be read now: \(error)"))
        }
    }

    /// Looks further: all that a `list` has found so far, the handler itself has deleted.
    private func goOn(
        _ scope: StateScope, _ operation: StateOperation, after key: String
    ) async -> Result<StateResult, StateError> {
        guard case .list(let prefix, _, let limit) = operation else { return .success(.done) }
        return await perform(scope, .list(prefix: prefix, after: key, limit: limit))
    }

    private func commit(_ scope: StateScope) async -> Result<StateResult, StateError> {
        do {
            guard let buffer = try buffers.withLock({ $0.close(scope) }).get(), !buffer.isEmpty else {
                return .success(.done)
            }
            switch try await store.commit(buffer.effects) {
            case .committed:
                if store.enqueues(buffer.effects) { queue.signal() }
                return .success(.done)
            case .conflicted: return .success(.conflict)
            case .leaseLost, .repeated:
                return .failure(StateError(.unavailable, "the invocation was given to another host"))
            }
        } catch let error as StateError {
            buffers.withLock { $0.note(error) }
            return .failure(error)
        } catch let error as QueueFull {
            return .failure(StateError(.queueFull, error.description))
        } catch {
            return .failure(StateError(.unavailable, "the state cannot be written now: \(error)"))
        }
    }

    private func withBuffer<Value>(
        _ scope: StateScope, _ body: (inout EffectsBuffer) -> Value
    ) -> Result<Value, StateError> {
        buffers.withLock { buffers in
            if scope == 0, buffers.sealed {
                return .failure(
                    StateError(.invalid, "the invocation's effects are complete; use immediately for later ones"))
            }
            guard buffers.open.count < Self.mostScopes || buffers.open[scope] != nil else {
                let most = Self.mostScopes
                return .failure(StateError(.invalid, "\(most) blocks of immediately are open; let some of them end"))
            }
            return .success(body(&buffers.open[scope, default: EffectsBuffer(namespace: namespace, depth: depth)]))
        }
    }
}

extension Store {
    /// Commits effects that stand for themselves, with no more work than they need: reads alone are only checked, and
    /// one read alone is consistent with itself.
    func commit(_ effects: Effects) async throws -> CommitResult {
        guard effects.writes.isEmpty, effects.messages.isEmpty else {
            return try await commit(Commit(effects: effects))
        }
        guard effects.reads.count + effects.scans.count > 1 else { return .committed }
        return try await isCurrent(effects) ? .committed : .conflicted
    }
}
