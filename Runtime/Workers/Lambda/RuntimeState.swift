package import Events

/// What the Lambda Runtime API of one worker decides: who gets the event, and which answers count. Knows no sockets.
///
/// A worker has one call at a time: it is prepared (its body may still come), waits until the runtime asks for it, runs,
/// and is answered. A runtime that asks while there is none waits; several of its connections may.
package struct RuntimeState: Sendable {
    package typealias Connection = Int

    private enum Phase {
        /// Until the first `next`.
        case starting
        case ready
        /// It has said that it cannot start.
        case failed
    }

    private enum Stage: Equatable {
        case preparing, waiting, running
        case answering(Connection)
    }

    /// What becomes of a request.
    package enum Reception: Sendable, Equatable {
        /// Its answer comes with a call.
        case wait
        /// The call that waits is its answer.
        case give
        /// Its body counts.
        case takeResponse, takeError, takeInitError
        case refuse(RuntimeRefusal)
    }

    private var phase = Phase.starting
    private var call: (id: InvocationID, stage: Stage)?
    /// Who waits for a call, in the order of their coming.
    private var polls: [Connection] = []

    package init() {}

    package var isReady: Bool { phase == .ready }
    package var isStarting: Bool { phase == .starting }
    /// The runtime is there for a call, if there is one.
    package var isPolling: Bool { !polls.isEmpty }

    // MARK: Requests

    /// A request of the runtime. The first `next` makes the worker ready.
    package mutating func receive(_ request: RuntimeRequest, on connection: Connection) -> Reception {
        switch request {
        case .next: return next(on: connection)
        case .response(let id): return answer(.takeResponse, to: id, on: connection)
        case .error(let id): return answer(.takeError, to: id, on: connection)
        case .initError:
            guard phase == .starting else { return .refuse(.invalidState) }
            phase = .failed
            return .takeInitError
        case .wrongMethod: return .refuse(.wrongMethod)
        case .unknown: return .refuse(.unknownPath)
        }
    }

    private mutating func next(on connection: Connection) -> Reception {
        guard phase != .failed else { return .refuse(.invalidState) }
        phase = .ready
        guard call?.stage == .waiting else {
            polls.append(connection)
            return .wait
        }
        call?.stage = .running
        return .give
    }

    private mutating func answer(_ reception: Reception, to id: String, on connection: Connection) -> Reception {
        guard let call, InvocationID(id) == call.id else { return .refuse(.invalidID) }
        guard call.stage == .running else { return .refuse(.invalidState) }
        self.call?.stage = .answering(connection)
        return reception
    }

    /// The connection is gone. Returns whether an answer broke off with it; another may come still.
    package mutating func closed(_ connection: Connection) -> Bool {
        polls.removeAll { $0 == connection }
        guard call?.stage == .answering(connection) else { return false }
        call?.stage = .running
        return true
    }

    // MARK: Calls

    /// A call has come. `false` when the worker cannot have it.
    package mutating func begin(_ id: InvocationID) -> Bool {
        guard phase == .ready, call == nil else { return false }
        call = (id, .preparing)
        return true
    }

    /// The call's event is complete, or could not be given to the connection that it was for. Returns who gets it now;
    /// `nil` when the runtime has yet to ask.
    package mutating func offer() -> Connection? {
        guard let stage = call?.stage, stage == .preparing || stage == .running else { return nil }
        guard !polls.isEmpty else {
            call?.stage = .waiting
            return nil
        }
        call?.stage = .running
        return polls.removeFirst()
    }

    /// Takes the call back, if the runtime has not got it.
    package mutating func withdraw() -> Bool {
        guard call?.stage == .preparing || call?.stage == .waiting else { return false }
        call = nil
        return true
    }

    /// The call has its whole answer.
    package mutating func answered() { call = nil }
}
