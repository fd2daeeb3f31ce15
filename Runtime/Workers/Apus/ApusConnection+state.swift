import Events
import Manifests
import Wire

/// State operations of handlers: one after the other within a call, in the handler's order.
extension ApusConnection {
    /// Values that a worker asks for until it can look them up.
    private static let lookupsForOffer = 16

    func operate(_ id: UInt32, _ request: UInt32, _ scope: UInt32, _ operation: StateRequest) {
        // The call may have ended meanwhile, by what the handler has left running.
        guard let call = calls[id] else { return refuse(id, request, "the call is over; it has no state any more") }
        guard !call.isAhead || noteBegun(call) else {
            return breakContract("a STATE for call \(id), which it has not taken")
        }
        if scope == 0, call.answer != nil || call.download.stream != nil {
            return refuse(id, request, "the effects of this call are complete; use 'state.immediately' in a stream")
        }
        let operation = ApusCall.Operation(request: request, scope: scope, operation: operation)
        if call.isCommitting {
            call.operations.append(operation)
            waitingOperations.add(operation.operation)
        } else {
            perform(operation, of: call)
        }
    }

    private func perform(_ operation: ApusCall.Operation, of call: ApusCall) {
        if let change = StateOperation(operation.operation) {
            noteLookup(change, of: call)
            return finish(operation, of: call, call.call.state.operate(operation.scope, change))
        }
        call.isCommitting = true
        // Unstructured: frames of other calls go on while the store works. It ends with the commit.
        Task(executorPreference: process.lane) { [self] in
            finish(operation, of: call, await call.call.state.commit(operation.scope))
            call.isCommitting = false
            goOn(with: call)
        }
    }

    /// Lets a worker that asks for values often look them up itself.
    private func noteLookup(_ operation: StateOperation, of call: ApusCall) {
        guard canLookUp, memory != nil else { return }
        switch operation {
        case .found: offeredValues?.noteUse()
        case .get, .increment:
            lookups += 1
            guard lookups.isMultiple(of: Self.lookupsForOffer) else { return }
            offerValues(of: call)
        case .set, .delete, .list, .send, .abandon: break
        }
    }

    private func offerValues(of call: ApusCall) {
        // It finds not all in what it has, or has what is not used any more.
        guard let ring = call.call.state.values, ring !== offeredValues, let descriptor = ring.descriptor,
            ring.values.size <= process.manifest.mostSharedValues
        else { return }
        if self.ring(with: descriptor) { offeredValues = ring }
    }

    /// Does what has waited for a commit, up to the next one.
    private func goOn(with call: ApusCall) {
        while !call.isCommitting, !call.operations.isEmpty {
            let operation = call.operations.removeFirst()
            waitingOperations.remove(operation.operation)
            perform(operation, of: call)
        }
        if !call.isCommitting { deliver(call) }
    }

    private func finish(_ operation: ApusCall.Operation, of call: ApusCall, _ result: Result<StateResult, StateError>) {
        if operation.request != 0 {
            send(Frame(call: call.id, .stateReply(request: operation.request, StateReply(result))))
        } else if case .failure(let error) = result, call.operationFailure == nil {
            call.operationFailure = error
        }
    }

    private func refuse(_ id: UInt32, _ request: UInt32, _ message: String) {
        guard request != 0 else { return }
        send(Frame(call: id, .stateReply(request: request, .failed(code: "invalid", message: message))))
    }
}

extension Manifest {
    /// Bytes of values for a worker to look into: where its memory is watched, what it has looked at counts as its own.
    fileprivate var mostSharedValues: Int64 { min(limits.memory, workers.retireMemory ?? .max) / 4 }
}

/// State operations that wait for a commit. Their values count as well, since what is wrong with one is found when its turn
/// comes: without that, a worker could fill the host's memory while the disk is slow.
struct WaitingOperations {
    var count = 0
    var bytes = 0

    mutating func add(_ operation: StateRequest) {
        count += 1
        bytes += operation.size
    }

    mutating func remove(_ operation: StateRequest) {
        count -= 1
        bytes -= operation.size
    }

    func exceeds(_ most: Self, divided divisor: Int) -> Bool {
        count > most.count / divisor || bytes > most.bytes / divisor
    }
}

extension StateRequest {
    /// About how many bytes it holds.
    fileprivate var size: Int {
        switch self {
        case .get(let key), .delete(let key), .increment(let key, _): key.utf8.count
        case .set(let key, let value), .found(let key, let value, _, _): key.utf8.count + value.count
        case .list(let prefix, let after, _): prefix.utf8.count + (after?.utf8.count ?? 0)
        case .send(let message):
            message.target.utf8.count + message.data.count
                + message.attributes.reduce(0) { $0 + $1.name.utf8.count + $1.value.utf8.count }
        case .commit, .abandon: 0
        }
    }
}

extension StateOperation {
    /// `nil` for a commit.
    init?(_ request: StateRequest) {
        switch request {
        case .get(let key): self = .get(key: key)
        case .set(let key, let value): self = .set(key: key, value: value)
        case .delete(let key): self = .delete(key: key)
        case .increment(let key, let amount): self = .increment(key: key, by: amount)
        case .list(let prefix, let after, let limit): self = .list(prefix: prefix, after: after, limit: Int(limit))
        case .send(let message):
            self = .send(
                OutgoingMessage(
                    target: message.target, data: message.data,
                    attributes: message.attributes.map { HeaderField($0.name, $0.value) },
                    after: .milliseconds(Int64(clamping: message.after))))
        case .commit: return nil
        case .abandon: self = .abandon
        case .found(let key, let value, let version, let isRead):
            self = .found(key: key, value: value, version: version, isRead: isRead)
        }
    }
}

extension StateReply {
    init(_ result: Result<StateResult, StateError>) {
        switch result {
        case .success(.value(nil)): self = .absent
        case .success(.value(let value?)): self = .value(value)
        case .success(.number(let number)): self = .number(number)
        case .success(.entries(let entries, let more)):
            self = .entries(entries.map { WireEntry(key: $0.key, value: $0.value) }, more: more)
        case .success(.done): self = .done
        case .success(.conflict): self = .conflict
        case .failure(let error): self = .failed(code: error.code.rawValue, message: error.message)
        }
    }
}
