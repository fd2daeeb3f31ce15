package import Events

package struct TimerRecord: Sendable, Hashable {
    package var definition: String
    /// Instants up to here are handled, fired or not.
    package var handled: WallTime
    package var lastFired: WallTime?

    package init(definition: String, handled: WallTime, lastFired: WallTime?) {
        self.definition = definition
        self.handled = handled
        self.lastFired = lastFired
    }
}

package enum FireResult: Sendable, Hashable {
    case enqueued
    /// The instant was handled before.
    case duplicate
    /// An earlier invocation of the trigger is not done yet.
    case skippedBusy
    /// There was nothing to enqueue.
    case noted
    /// There is no room in the function's queue. The instant is not handled.
    case full
}
