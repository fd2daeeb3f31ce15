/// How much a function's part of the queue may hold.
package struct QueueBounds: Sendable, Hashable {
    /// Invocations that wait.
    package var waiting: Int
    /// Bytes of the data of what waits and runs.
    package var bytes: Int64

    package init(waiting: Int = 1_000_000, bytes: Int64 = 1 << 30) {
        self.waiting = waiting
        self.bytes = bytes
    }
}

/// What was to be enqueued found no room; nothing of its unit was applied.
package struct QueueFull: Error, Sendable, Hashable, CustomStringConvertible {
    package var function: String
    package var bounds: QueueBounds

    package init(function: String, bounds: QueueBounds) {
        self.function = function
        self.bounds = bounds
    }

    package var description: String {
        """
        the queue of '\(function)' is full: it holds limits.queue (\(bounds.waiting)) invocations or limits.queueSize \
        (\(bounds.bytes)) bytes
        """
    }
}
