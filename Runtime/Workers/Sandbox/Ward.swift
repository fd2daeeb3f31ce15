/// What the host knows of one worker's processes, and decides about them.
package struct Ward: Sendable {
    package enum Answer: Equatable {
        case allow, refuse
    }

    /// Log lines about one worker; one that tries everything says enough with these.
    private static let mostLines = 20
    /// A worker at its bound is counted again after this; what it asks for until then is refused.
    private static let pause = Duration.milliseconds(10)

    /// Processes and threads.
    let limit: Int
    /// Whether it has started a process.
    package private(set) var hasForked = false
    /// How many more may start before they are counted again; never more than are free.
    private var allowance = 0
    private var fullUntil: ContinuousClock.Instant?
    private var said: Set<String> = []

    package init(limit: Int) { self.limit = limit }

    /// Decides about one more process or thread. `count` tells how many there are.
    package mutating func start(isThread: Bool, now: ContinuousClock.Instant, count: () -> Int) -> Answer {
        if !isThread { hasForked = true }
        if let fullUntil, now < fullUntil { return .refuse }
        if allowance == 0 { allowance = max(0, limit - count()) }
        guard allowance > 0 else {
            fullUntil = now + Self.pause
            return .refuse
        }
        fullUntil = nil
        allowance -= 1
        return .allow
    }

    /// Whether `line` is worth saying: the first of its kind, up to a bound.
    package mutating func isNews(_ line: String) -> Bool {
        said.count < Self.mostLines && said.insert(line).inserted
    }
}
