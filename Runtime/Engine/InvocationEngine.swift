package import Events
package import Manifests
package import Storage
package import Workers

/// What one invocation means: admit, lease, perform, classify, commit, reply.
package final class InvocationEngine: Sendable {
    package let store: Store
    package init(store: Store) { self.store = store }

    /// The running set, by name.
    package var functions: [HostedFunction] { fatalError("seam") }

    package func function(named name: String) -> HostedFunction? { fatalError("seam") }

    /// Runs one HTTP request. The response is given only after its effects are committed.
    ///
    /// - Parameter function: the name that the route leads to.
    /// - Throws: a `Problem` that the client shall see. Cancelling the task cancels the handler's call.
    package func respond(
        to request: RequestHead, body: Body, function: String, id: InvocationID, on lane: Lane
    ) async throws(Problem) -> Reply { fatalError("seam") }

    /// Runs one event now, once, past the queue; returns after its effects are committed.
    package func handle(_ event: Event, kind: TriggerKind, function: String, id: InvocationID) async throws(Problem) {
        fatalError("seam")
    }

    /// Says that the queue may have something that is due; called by whoever has enqueued.
    package func queueChanged() { fatalError("seam") }
}

package struct Reply: Sendable {
    package var head: ResponseHead
    package var body: Body

    package init(head: ResponseHead, body: Body) {
        self.head = head
        self.body = body
    }
}

/// A function of the running set: what is declared, its workers, and how its invocations ended.
package final class HostedFunction: Sendable {
    package let manifest: Manifest
    package let pool: Pool
    package init(manifest: Manifest, pool: Pool) {
        self.manifest = manifest
        self.pool = pool
    }

    package var statistics: FunctionStatistics { fatalError("seam") }
}

/// How the invocations of a function ended since the host came up.
package struct FunctionStatistics: Sendable, Codable {
    package struct Ended: Sendable, Codable {
        package var invocation: String
        package var trigger: TriggerKind
        package var outcome: Outcome
        package var ended: WallTime
        package var milliseconds: Double
        /// Why it did not succeed.
        package var reason: String?
    }

    package var outcomes: [String: Int] = [:]
    package var running = 0
    /// The newest first, at most 20.
    package var last: [Ended] = []
}
