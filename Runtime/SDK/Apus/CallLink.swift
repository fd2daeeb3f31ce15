package import Wire

/// What a handler's context needs from the other side: the host over a socket, or memory in a test.
package protocol CallLink: AnyObject, Sendable {
    /// Begins a state operation. `reply` is resumed once: with what came of it, or with a `CancellationError` when the call
    /// or the request is cancelled.
    func begin(
        _ request: UInt32, _ scope: UInt32, _ operation: StateRequest,
        _ reply: UnsafeContinuation<StateReply, any Error>)

    /// A number that no other operation of this call has; never 0.
    func newRequest() -> UInt32

    /// Nobody waits for the reply any more.
    func cancelRequest(_ request: UInt32)

    /// Whether nobody but the host cancels the current task.
    var isInOwnTask: Bool { get }

    /// Hands over an operation, such as `set` or `delete`, whose reply nobody waits for: where it fails, the call fails. `false` when too much
    /// is waiting already: `operate` then.
    func submit(_ scope: UInt32, _ operation: StateRequest) throws -> Bool

    /// The value of `key`, where it can be had without asking the host, which then knows that the call has it.
    func lookUp(_ key: String, in scope: UInt32) -> [UInt8]?

    /// Increments `key` where its value can be had like that; hands the operation over as `submit` does, and returns the sum.
    func increment(_ key: String, by amount: Int, in scope: UInt32) -> Int?

    /// A scope that no other block of `immediately` in this call uses; never 0.
    func newScope() -> UInt32

    func log(_ level: LogLevel, _ text: String, _ metadata: [WireField])

    /// The next bytes of the request's body, never empty; `nil` at its end.
    func nextChunk() async throws -> [UInt8]?

    /// Sends bytes of the response's body; waits until there is room for them.
    func write(_ bytes: [UInt8]) async throws
}

extension CallLink {
    /// Runs a state operation and returns what came of it. Throws `CancellationError` when the call is cancelled.
    @inline(__always)
    package nonisolated(nonsending) func operate(
        _ scope: UInt32, _ operation: StateRequest
    ) async throws -> StateReply {
        let request = newRequest()
        // The host's cancellation finds the request. Only that of a task which the handler has made does not.
        if isInOwnTask {
            return try await withUnsafeThrowingContinuation { begin(request, scope, operation, $0) }
        }
        return try await withTaskCancellationHandler {
            try await withUnsafeThrowingContinuation { begin(request, scope, operation, $0) }
        } onCancel: {
            cancelRequest(request)
        }
    }

    /// Hands over what nobody waits for the reply of, as soon as there is room for it.
    @inline(__always)
    package nonisolated(nonsending) func hand(over operation: StateRequest, in scope: UInt32) async throws {
        guard try !submit(scope, operation) else { return }
        // Waiting for the reply gives the loop its turn to send what has piled up.
        if case .failed(let code, let message) = try await operate(scope, operation) {
            throw StateError(StateError.Code(rawValue: code) ?? .unavailable, message)
        }
    }
}

/// How far a call has come.
package enum CallPhase: Sendable {
    /// Its handler runs.
    case running
    /// It has answered, and its response's body is being written.
    case streaming
    case over

    /// Throws when the call may not use the state's `scope` any more.
    package func checkState(_ scope: UInt32) throws(StateError) {
        switch self {
        case .running: return
        case .streaming where scope != 0: return
        case .streaming:
            throw StateError(
                .invalid, "the effects of this call are committed already; use 'state.immediately' in a stream")
        case .over: throw StateError(.invalid, "the call is over; it has no state any more")
        }
    }
}
