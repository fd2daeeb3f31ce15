package import Events

/// What `cancel` has met.
package enum Cancellation: Sendable, Hashable {
    /// It waited; it will not run.
    case waiting
    /// It ran: whatever its attempt still does is lost with its lease. The call itself is to be ended.
    case running
    /// It had ended before.
    case ended(QueueState)
    /// There is none with that id, or no longer.
    case unknown
}

extension Store {
    /// Ends an invocation that has not ended, with the outcome `cancelled`.
    package func cancel(_ id: InvocationID, reason: String, now: WallTime? = nil) async throws -> Cancellation {
        try await writer.perform { transaction in
            guard let place = try transaction.place(of: id) else { return .unknown }
            let now = now ?? transaction.options.now()
            switch place.state {
            case .waiting:
                try transaction.end(place, as: .done, .cancelled, reason: reason, now: now)
                return .waiting
            case .running:
                try transaction.end(place, as: .done, .cancelled, reason: reason, now: now)
                return .running
            case .done, .dead: return .ended(place.state)
            }
        }
    }
}
