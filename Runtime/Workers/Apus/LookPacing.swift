import NIOCore

/// When a lane looks into its workers' memory: some times at once, then not before it has looked at its sockets.
struct LookPacing {
    private static let mostLooks = 5
    /// Long enough for the loop to look at its sockets before. Where it is not, since the machine is slow, the next is longer:
    /// a loop runs what is due before it looks at them, and would do so for ever if that took as long.
    private static let (shortest, longest) = (TimeAmount.microseconds(20), TimeAmount.milliseconds(5))

    private var tick = 0
    private var looks = 0
    private var pause = shortest

    /// How long the next look has to wait; `nil`: it is time, and it is taken note of.
    ///
    /// - Parameter tick: so often the loop has looked at its sockets.
    mutating func pause(at tick: Int) -> TimeAmount? {
        if tick != self.tick { (self.tick, looks, pause) = (tick, 0, Self.shortest) }
        if looks < Self.mostLooks {
            looks += 1
            return nil
        }
        defer { pause = min(2 * pause, Self.longest) }
        return pause
    }
}
