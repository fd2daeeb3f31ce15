/// When to look at all processes: soon when something gets full or many have been started, and never for more than a
/// twentieth of one processor's time.
package struct WatchPace: Sendable {
    /// How often to ask whether it is time to look.
    package static let interval = Duration.milliseconds(25)
    /// So many new processes on the machine are worth a look.
    private static let many: UInt64 = 32

    private var due: ContinuousClock.Instant?
    private var earliest: ContinuousClock.Instant?
    private var lastProcess: UInt64 = 0

    package init() {}

    /// - Parameter lastProcess: the number of the process that was made last; it starts anew at the system's bound.
    package func isDue(_ now: ContinuousClock.Instant, lastProcess: UInt64) -> Bool {
        guard let due, let earliest else { return true }
        let areMany = lastProcess < self.lastProcess || lastProcess - self.lastProcess >= Self.many
        return now >= due || now >= earliest && areMany
    }

    /// - Parameters:
    ///   - fullest: how much of its bound the worker has taken that has taken most.
    ///   - cost: of the look.
    package mutating func hasLooked(
        _ now: ContinuousClock.Instant, lastProcess: UInt64, fullest: Double, cost: Duration
    ) {
        let wanted: Duration =
            switch fullest {
            case ..<0.5: .milliseconds(500)
            case ..<0.8: .milliseconds(100)
            default: Self.interval
            }
        self.lastProcess = lastProcess
        earliest = now + cost * 20
        due = now + max(wanted, cost * 20)
    }
}
