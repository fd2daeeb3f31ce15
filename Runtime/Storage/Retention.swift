/// How long, and how much of, what has ended is kept. Whichever bound is met first, the oldest goes.
package struct Retention: Sendable, Hashable {
    /// Done invocations, and with them their event ids: one that comes again later is new.
    package var done = Duration.seconds(86_400)
    /// Of all functions together.
    package var doneRows = 100_000
    /// Results are gone with their invocations, or before.
    package var results = Duration.seconds(86_400)
    package var resultBytes: Int64 = 256 << 20
    package var dead = Duration.seconds(30 * 86_400)
    package var deadRows = 100_000
    package var deadBytes: Int64 = 1 << 30

    package init() {}
}

/// What one round of pruning has removed.
package struct Pruned: Sendable, Hashable {
    package var done = 0
    package var results = 0
    package var dead = 0

    package init(done: Int = 0, results: Int = 0, dead: Int = 0) {
        self.done = done
        self.results = results
        self.dead = dead
    }
}
