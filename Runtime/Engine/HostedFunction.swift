package import Events
package import Manifests
import Storage
import Synchronization
package import Workers

/// A function of the running set: what is declared, its workers, and how its invocations ended.
package final class HostedFunction: Sendable {
    package let manifest: Manifest
    package let pool: Pool
    /// Of the events that stand for its requests in the queue.
    let requestSource: String
    private let book: Mutex<Book>
    private let roomWanted = Flag()

    /// One lock for both, since every call asks for both.
    private struct Book {
        var tally = InvocationTally()
        var breaker: CircuitBreaker?
    }

    /// - Parameter roomFound: called when the pool has room again after `wantsRoom`.
    package init(manifest: Manifest, pool: Pool, roomFound: @escaping @Sendable () -> Void) {
        self.manifest = manifest
        self.pool = pool
        requestSource = "/functions/\(manifest.name)/requests"
        book = Mutex(Book(breaker: manifest.workers.breaker.map { CircuitBreaker(policy: $0) }))
        pool.onRoom { [roomWanted] in
            if roomWanted.value.exchange(false, ordering: .acquiringAndReleasing) { roomFound() }
        }
    }

    /// Asks to be told, once, when the pool has room. A request that ends with nobody asking costs one atomic exchange.
    func wantsRoom() { roomWanted.value.store(true, ordering: .releasing) }

    package var statistics: FunctionStatistics { book.withLock { $0.tally.statistics } }

    /// `nil` when it has none.
    package var breaker: CircuitBreaker.State? { book.withLock { $0.breaker?.state } }

    /// How many queued invocations may run now as far as its circuit breaker goes, `nil` for as many as there are; and
    /// how long until there may be more.
    func quota(at now: SteadyTime) -> (calls: Int?, wait: Duration) {
        book.withLock { $0.breaker?.quota(at: now) ?? (nil, .zero) }
    }

    /// Counts an invocation that begins, and asks the circuit breaker; every one must be `ended`.
    func began(at now: SteadyTime) -> (pass: CircuitBreaker.Pass, change: CircuitBreaker.Change?) {
        book.withLock { book in
            book.tally.running += 1
            return book.breaker?.admit(at: now) ?? (.free, nil)
        }
    }

    /// Takes a `began` back: the invocation goes to the function's successor.
    func passedOn(_ pass: CircuitBreaker.Pass) {
        book.withLock { book in
            book.tally.running -= 1
            _ = book.breaker?.ended(pass, .neither, at: .now)
        }
    }

    func ended(
        _ invocation: Invocation, _ outcome: Outcome, from start: SteadyTime, reason: String? = nil,
        pass: CircuitBreaker.Pass, verdict: CircuitBreaker.Verdict
    ) -> CircuitBreaker.Change? {
        let now = SteadyTime.now
        let entry = InvocationTally.Ended(
            invocation: invocation.id, trigger: invocation.trigger, outcome: outcome, time: .now(),
            duration: now - start, reason: reason)
        return book.withLock { book in
            book.tally.ended(entry)
            return book.breaker?.ended(pass, verdict, at: now)
        }
    }
}

private final class Flag: Sendable {
    let value = Atomic<Bool>(false)
}

/// How the invocations of a function ended since the host came up.
package struct FunctionStatistics: Sendable, Codable {
    package struct Ended: Sendable, Codable {
        package var invocation: String
        package var trigger: TriggerKind
        package var outcome: Outcome
        package var ended: WallTime
        package var milliseconds: Double
        /// Why it did not succeed.
        package var reason: String?
    }

    /// How many ended with each outcome that occurred.
    package var outcomes: [String: Int] = [:]
    package var running = 0
    /// The newest first, at most 20.
    package var last: [Ended] = []
}

/// Counts without allocating: it is on the path of every request.
struct InvocationTally {
    struct Ended {
        var invocation: InvocationID
        var trigger: TriggerKind
        var outcome: Outcome
        var time: WallTime
        var duration: Duration
        var reason: String?
    }

    private static let remembered = 20

    private var counts = [Int](repeating: 0, count: Outcome.allCases.count)
    /// Once it is full, the oldest is at `oldest`.
    private var ring: [Ended] = []
    private var oldest = 0
    var running = 0

    mutating func ended(_ entry: Ended) {
        running -= 1
        counts[entry.outcome.index] += 1
        if ring.count < Self.remembered {
            ring.append(entry)
        } else {
            ring[oldest] = entry
            oldest = (oldest + 1) % Self.remembered
        }
    }

    var statistics: FunctionStatistics {
        var statistics = FunctionStatistics()
        statistics.running = running
        for outcome in Outcome.allCases where counts[outcome.index] > 0 {
            statistics.outcomes[outcome.rawValue] = counts[outcome.index]
        }
        statistics.last = (ring[oldest...] + ring[..<oldest]).reversed().map { entry in
            FunctionStatistics.Ended(
                invocation: entry.invocation.description, trigger: entry.trigger, outcome: entry.outcome,
                ended: entry.time, milliseconds: Double(entry.duration.nanoseconds) / 1_000_000, reason: entry.reason)
        }
        return statistics
    }
}

extension Limits {
    var queueBounds: QueueBounds { QueueBounds(waiting: queue, bytes: queueSize) }
}

extension Outcome {
    /// Its place among all cases.
    fileprivate var index: Int {
        switch self {
        case .succeeded: 0
        case .failed: 1
        case .timedOut: 2
        case .rejected: 3
        case .conflicted: 4
        case .cancelled: 5
        case .exhausted: 6
        }
    }
}
