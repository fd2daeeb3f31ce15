import Synchronization

/// How full the queues are, and how full they may be, for those who ask before they add something.
final class QueueLoad: Sendable {
    private struct State {
        var bounds: [String: QueueBounds] = [:]
        var counts: [String: QueueCounts] = [:]
    }

    private let state = Mutex(State())

    /// The bounds of each function; others have the usual ones.
    func replace(bounds: [String: QueueBounds]) { state.withLock { $0.bounds = bounds } }

    func bounds(of function: String) -> QueueBounds { state.withLock { $0.bounds[function] } ?? QueueBounds() }

    func update(_ counts: [(function: String, counts: QueueCounts)]) {
        if counts.isEmpty { return }
        state.withLock { state in
            for entry in counts { state.counts[entry.function] = entry.counts }
        }
    }

    /// Whether one more, without data, finds room as far as is known.
    func hasRoom(for function: String) -> Bool {
        state.withLock { state in
            let bounds = state.bounds[function] ?? QueueBounds()
            guard let counts = state.counts[function] else { return true }
            return counts.waiting < bounds.waiting && counts.bytes < max(1, bounds.bytes)
        }
    }
}
