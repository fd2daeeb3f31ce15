import Events
import Manifests

/// Workers that are there before the first call: those of a pool that takes over from another.
extension PoolState {
    package enum Warmth: Sendable, Equatable {
        /// Workers start.
        case coming
        /// A worker is ready; or there is nothing to wait for.
        case there
        /// Why none starts.
        case failed(String)
    }

    /// Starts workers, as far as there are slots.
    package mutating func warmUp(_ count: Int, now: Instant) -> [Action] {
        headStart = min(count, policy.max)
        return settled(now)
    }

    package func warmth(_ now: Instant) -> Warmth {
        if isDraining || workers.values.contains(where: { $0.phase == .ready }) { return .there }
        if backoff.isActive(now) { return .failed(backoff.reason) }
        // Without a slot, the pool before goes first.
        return workers.values.contains { $0.phase == .starting } ? .coming : .there
    }
}
