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
        var sealed = false
    }

    private let store: Store
    private let namespace: String
    private let buffers = Mutex(Buffers())

    init(store: Store, namespace: String) {
        self.store = store
        self.namespace = namespace
    }

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
            buffers.withLock { $0.open[scope] = nil }
            return .success(.done)
        case .get, .set, .delete, .increment, .list: return await perform(scope, operation)
        }
    }

    private func perform(_ scope: StateScope, _ operation: StateOperation) async -> Result<StateResult, StateError> {
        let lookup = withBuffer(scope) { $0.begin(operation) }
        do {
            switch lookup {
            case .failure(let error): return .failure(error)
            case .success(.none(let result)): return result
            case .success(.value(let key)):
                let value = try await store.value(key, in: namespace)
                return withBuffer(scope) { $0.found(value, for: operation) }.flatMap { $0 }
            case .success(.scan(let prefix, let after, let limit)):
                let entries = try await store.scan(prefix: prefix, after: after, limit: limit, in: namespace)
                return withBuffer(scope) { $0.found(entries, scanned: limit, for: operation) }.flatMap { $0 }
            }
        } catch {
            return .failure(StateError(.unavailable, "the state cannot be read now: \(error)"))
        }
    }

    private func commit(_ scope: StateScope) async -> Result<StateResult, StateError> {
        guard let buffer = buffers.withLock({ $0.open.removeValue(forKey: scope) }), !buffer.isEmpty else {
            return .success(.done)
        }
        do {
            switch try await store.commit(buffer.effects) {
            case .committed: return .success(.done)
            case .conflicted: return .success(.conflict)
            case .leaseLost: return .failure(StateError(.unavailable, "the invocation was given to another host"))
            }
        } catch let error as StateError {
            return .failure(error)
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
            return .success(body(&buffers.open[scope, default: EffectsBuffer(namespace: namespace)]))
        }
    }
}

extension Store {
    /// Commits effects that stand for themselves, with no more work than they need: reads alone are only checked, and
    /// one read alone is consistent with itself.
    func commit(_ effects: Effects) async throws -> CommitResult {
        guard effects.writes.isEmpty else { return try await commit(Commit(effects: effects)) }
        guard effects.reads.count + effects.scans.count > 1 else { return .committed }
        return try await isCurrent(effects) ? .committed : .conflicted
    }
}
