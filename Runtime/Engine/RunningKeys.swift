import Events
import NIOCore
import Storage
import Synchronization
import Workers

/// The idempotency keys whose first request runs now, and the repeats that wait for its answer.
///
/// Two requests with one key must not run at once on this host; for two hosts, and for a host that died in between, the
/// store decides at the commit.
final class RunningKeys: Sendable {
    private typealias Waiter = CheckedContinuation<Turn, Never>
    private let state = Mutex(RunningKeysState<Waiter>())
    private let tickets = Atomic<UInt64>(0)

    /// What a request may do.
    enum Turn: Sendable {
        /// Nobody else runs with its key: it may, and must `release` the key afterwards.
        case first
        /// The first one has ended with this.
        case answered(IdempotentResponse)
        /// The first one is another request.
        case differs
        /// The first one still runs, and has for longer than a repeat waits; or too many wait for it.
        case late
        /// The caller has gone.
        case cancelled
    }

    /// Gives the key to the request, or waits for the one that has it. When that one ends without an answer to repeat,
    /// the first that waits gets the key.
    ///
    /// - Parameters:
    ///   - longest: a repeat waits for so long.
    ///   - most: so many repeats wait for one request.
    func turn(of request: KeyedRequest, longest: Duration, most: Int, on lane: Lane) async -> Turn {
        if let turn = state.withLock({ $0.enter(request.name, request.fingerprint) }) { return turn }
        let ticket = tickets.wrappingAdd(1, ordering: .relaxed).newValue
        let alarm = lane.loop.scheduleTask(in: .nanoseconds(longest.nanoseconds)) { [self] in
            leave(request.name, ticket, as: .late)
        }
        defer { alarm.cancel() }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { waiter in
                let turn: Turn? = state.withLock { state in
                    // The cancellation handler runs before this when the task was cancelled already, and finds nobody.
                    if Task.isCancelled { return .cancelled }
                    return state.wait(request.name, request.fingerprint, ticket, waiter, most: most)
                }
                if let turn { waiter.resume(returning: turn) }
            }
        } onCancel: {
            leave(request.name, ticket, as: .cancelled)
        }
    }

    /// The request that has the key has ended.
    func release(_ request: KeyedRequest) {
        let response = request.response
        for waiter in state.withLock({ $0.release(request.name, isAnswered: response != nil) }) {
            waiter.resume(returning: response.map { .answered($0) } ?? .first)
        }
    }

    private func leave(_ name: KeyedRequest.Name, _ ticket: UInt64, as turn: Turn) {
        state.withLock { $0.leave(name, ticket) }?.resume(returning: turn)
    }
}

/// A request with an idempotency key, and what has been stored for its repeats.
final class KeyedRequest: Sendable {
    struct Name: Hashable, Sendable {
        var function: String
        var key: String
    }

    let name: Name
    let fingerprint: [UInt8]
    private let keep: Duration
    private let stored = Mutex<IdempotentResponse?>(nil)

    init(_ key: IdempotencyKey, of function: String, fingerprint: [UInt8]) {
        name = Name(function: function, key: key.key)
        keep = key.keep
        self.fingerprint = fingerprint
    }

    /// What answers its repeats; `nil` as long as there is nothing.
    var response: IdempotentResponse? { stored.withLock { $0 } }

    func answered(_ response: IdempotentResponse) { stored.withLock { $0 = response } }

    /// `answer`, whose body is there, as it is kept; `nil` for what answers no request.
    func response(_ answer: Answer, of invocation: InvocationID, now: WallTime) -> IdempotentResponse? {
        var response = IdempotentResponse(
            function: name.function, key: name.key, fingerprint: fingerprint, invocation: invocation, status: 200,
            expires: now.advanced(by: keep))
        switch answer {
        case .response(let head, .bytes(let bytes)):
            response.status = head.status
            response.headers = head.headers
            response.body = Array(bytes.readableBytesView)
        case .redirect(let target): response.redirect = target
        case .response(_, .stream), .acknowledged, .result: return nil
        }
        return response
    }
}
