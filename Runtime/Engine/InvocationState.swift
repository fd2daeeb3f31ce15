import Events
import Storage
import Synchronization
import Wire
import Workers

/// The state that one run of an invocation sees, and what it will commit.
///
/// The handler's operations come here one after the other; the engine seals the invocation's own effects once the
/// handler has answered, and takes them.
final class InvocationState: CallState {
    private struct Buffers {
        /// The invocation's own effects. Apart from the others, which most have none of.
        var own: EffectsBuffer?
        var immediate: [StateScope: EffectsBuffer] = [:]
        /// Scopes with a write that was refused, which its handler may not have waited for: they must not commit.
        var failures: [StateScope: StateError] = [:]
        /// The last one for which there was no room in `failures`: any scope of which nothing is known may have it.
        var lostFailure: StateError?
        var sealed = false
        var outbox: Outbox?
        /// It is the end of a chain of events, and wanted to cause another one.
        var isTooDeep = false

        mutating func note(_ error: StateError) { isTooDeep = isTooDeep || error.code == .chainTooLong }

        /// Keeps a scope from its commit, also one that could not be opened since too many are.
        mutating func refuse(_ scope: StateScope, because error: StateError) {
            let isKnown = immediate[scope] != nil || failures[scope] != nil
            if isKnown || failures.count < InvocationState.mostFailures {
                failures[scope] = error
            } else {
                lostFailure = error
            }
        }

        /// Forgets a scope other than the invocation's own. Returns what it has gathered, or why it must not be applied.
        mutating func close(_ scope: StateScope) -> Result<EffectsBuffer?, StateError> {
            let buffer = immediate.removeValue(forKey: scope)
            let failure = failures.removeValue(forKey: scope) ?? (buffer == nil ? lostFailure : nil)
            return failure.map { .failure($0) } ?? .success(buffer)
        }
    }

    /// Units of effects that may be open at a time, each of which remembers what it has read.
    private static let mostScopes = 256
    /// Scopes, about, whose failures are remembered each.
    private static let mostFailures = 512

    // One reference to all that is shared: its count of owners travels between the processors with each run.
    private let engine: InvocationEngine
    private let namespace: String
    private let invocation: Invocation
    private let buffers = Mutex(Buffers())

    private var store: Store { engine.store }

    init(_ invocation: Invocation, in namespace: String, engine: InvocationEngine) {
        self.engine = engine
        self.namespace = namespace
        self.invocation = invocation
    }

    /// Whether another try would end as this one has: at the end of a chain of events.
    var isTooDeep: Bool { buffers.withLock { $0.isTooDeep } }

    /// Ends the invocation's own scope. `nil` when it has neither read nor written.
    func seal() -> Effects? {
        buffers.withLock { buffers in
            buffers.sealed = true
            guard let buffer = buffers.own.take(), !buffer.isEmpty else { return nil }
            return buffer.effects
        }
    }

    var values: ValueRing? { store.values(of: namespace) }

    func operate(_ scope: StateScope, _ operation: StateOperation) -> Result<StateResult, StateError> {
        switch operation {
        case .abandon where scope == 0:
            // What it has read stays remembered, since its answer depends on it.
            return withBuffer(scope) { $0.abandonWrites() }.map { .done }
        case .abandon:
            _ = buffers.withLock { $0.close(scope) }
            return .success(.done)
        case .get, .increment, .list, .found: return perform(scope, operation)
        case .set, .delete: return noting(perform(scope, operation), in: scope)
        case .send(let message): return noting(send(message, in: scope), in: scope)
        }
    }

    /// Keeps a scope with a failed write from its commit. The worker's connection sees to the invocation's own scope.
    private func noting(
        _ result: Result<StateResult, StateError>, in scope: StateScope
    ) -> Result<StateResult, StateError> {
        if scope != 0, case .failure(let error) = result {
            buffers.withLock { $0.refuse(scope, because: error) }
        }
        return result
    }

    private func send(_ message: OutgoingMessage, in scope: StateScope) -> Result<StateResult, StateError> {
        let listeners = engine.subscriptions.listeners(to: message.target)
        let made = buffers.withLock { buffers in
            var outbox = buffers.outbox ?? Outbox(invocation)
            let made = outbox.events(for: message, listeners: listeners, isImmediate: scope != 0, now: .now())
            buffers.outbox = outbox
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

    private func perform(_ scope: StateScope, _ operation: StateOperation) -> Result<StateResult, StateError> {
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
                return goOn(scope, operation, after: last.key)
            }
        } catch {
            return .failure(StateError(.unavailable, "the state cannot be read now: \(error)"))
        }
    }

    /// Looks further: all that a `list` has found so far, the handler itself has deleted.
    private func goOn(
        _ scope: StateScope, _ operation: StateOperation, after key: String
    ) -> Result<StateResult, StateError> {
        guard case .list(let prefix, _, let limit) = operation else { return .success(.done) }
        return perform(scope, .list(prefix: prefix, after: key, limit: limit))
    }

    func commit(_ scope: StateScope) async -> Result<StateResult, StateError> {
        guard scope != 0 else {
            return .failure(StateError(.invalid, "the invocation's own effects commit when its handler succeeds"))
        }
        do {
            guard let buffer = try buffers.withLock({ $0.close(scope) }).get(), !buffer.isEmpty else {
                return .success(.done)
            }
            switch try await store.commit(buffer.effects) {
            case .committed:
                if store.enqueues(buffer.effects) { engine.queueChanged() }
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
            if scope == 0 {
                if buffers.own == nil { buffers.own = newBuffer }
                // Just made, where it was missing.
                return .success(body(&buffers.own!))
            }
            guard buffers.immediate.count < Self.mostScopes || buffers.immediate[scope] != nil else {
                let most = Self.mostScopes
                return .failure(StateError(.invalid, "\(most) blocks of immediately are open; let some of them end"))
            }
            return .success(body(&buffers.immediate[scope, default: newBuffer]))
        }
    }

    private var newBuffer: EffectsBuffer { EffectsBuffer(namespace: namespace, depth: invocation.depth) }
}
