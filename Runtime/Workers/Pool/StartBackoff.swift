package import Events

/// How long a pool starts no worker after one died while starting: doubling, from 100 ms up to 30 s.
package struct StartBackoff: Sendable {
    package typealias Instant = SteadyTime

    private static let first = Duration.milliseconds(100)
    private static let longest = Duration.seconds(30)

    private var failures = 0
    /// Until when nothing is started; `nil` while nothing holds it up.
    package private(set) var until: Instant?
    /// Why the last one died.
    private(set) var reason = ""
    /// The same in the words of its function, if it had any.
    private(set) var functionError: FunctionError?

    package init() {}

    /// Several workers that die of the same start count once.
    package mutating func failed(_ reason: String, _ functionError: FunctionError? = nil, now: Instant) {
        self.reason = reason
        self.functionError = functionError
        if let until, now < until { return }
        failures += 1
        until = now + min(Self.longest, Self.first * (1 << min(failures - 1, 16)))
    }

    /// A worker has started: the next may.
    package mutating func started() { until = nil }

    /// A worker has run a call to its end.
    package mutating func succeeded() { failures = 0 }

    func isActive(_ now: Instant) -> Bool {
        guard let until else { return false }
        return now < until
    }
}
