import Events

/// How many workers shall be ready ahead of the calls, where each call takes a new one. Pure.
///
/// It follows demand: each call that finds none ready asks for one more, and what stays unused for a while is given up.
struct SpareDemand: Sendable {
    typealias Instant = SteadyTime

    private static let window = Duration.seconds(1)

    private(set) var target = 0
    /// The fewest that were ready since `since`.
    private var fewest = Int.max
    private var since: Instant?
    private var lastCall: Instant?

    /// A call came and found `ready` of them.
    mutating func called(ready: Int, most: Int, now: Instant) {
        lastCall = now
        if ready == 0 { target = min(target + 1, most) }
        fewest = min(fewest, ready)
        guard let since, now - since >= Self.window else {
            if self.since == nil { self.since = now }
            return
        }
        // One stays even so: the next call should not wait.
        if fewest > 0 { target = max(1, target - fewest) }
        fewest = .max
        self.since = now
    }

    /// When nothing has called for so long that none is needed.
    func idleDeadline(after limit: Duration) -> Instant? { lastCall.map { $0 + limit } }

    /// Gives up all of them, until calls miss them.
    mutating func forgo() {
        target = 0
        fewest = .max
        since = nil
    }
}
