package import Wire

/// What a handler's context needs from the other side: the host over a socket, or memory in a test.
package protocol CallLink: Sendable {
    /// Runs a state operation and returns what came of it. Throws `CancellationError` when the call is cancelled.
    func operate(_ scope: UInt32, _ operation: StateRequest) async throws -> StateReply

    /// Hands over a `set` or `delete` whose reply nobody waits for: where it fails, the call fails.
    func submit(_ scope: UInt32, _ operation: StateRequest) async throws

    /// A scope that no other block of `immediately` in this call uses; never 0.
    func newScope() -> UInt32

    func log(_ level: LogLevel, _ text: String, _ metadata: [WireField])

    /// The next bytes of the request's body, never empty; `nil` at its end.
    func nextChunk() async throws -> [UInt8]?

    /// Sends bytes of the response's body; waits until there is room for them.
    func write(_ bytes: [UInt8]) async throws
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
