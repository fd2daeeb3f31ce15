package import Events
import Manifests
package import Storage
package import Workers

/// What one invocation means: admit, lease, perform, classify, commit, reply.
package final class InvocationEngine: Sendable {
    package let store: Store
    package init(store: Store) { self.store = store }

    /// Runs one HTTP request. The response is given only after its effects are committed.
    ///
    /// - Parameter function: the name that the route leads to.
    /// - Throws: a `Problem` that the client shall see. Cancelling the task cancels the handler's call.
    package func respond(
        to request: RequestHead, body: Body, function: String, id: InvocationID, on lane: Lane
    ) async throws(Problem) -> (head: ResponseHead, body: Body) { fatalError("seam") }

    /// Says that the queue may have something that is due; called by whoever has enqueued.
    package func queueChanged() { fatalError("seam") }
}
