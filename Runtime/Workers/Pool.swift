package import Events
package import Manifests

/// The workers of one function.
package final class Pool: Sendable {
    package let manifest: Manifest

    /// - Parameters:
    ///   - lanes: where its workers may live; at least one.
    ///   - budget: the machine-wide bound on workers, shared by all pools.
    ///   - output: gets every line that a worker logs or prints.
    package init(manifest: Manifest, lanes: [Lane], budget: WorkerBudget, output: @escaping WorkerOutput) {
        fatalError("seam")
    }

    /// Leases a worker (one on `lane` where there is a choice), gives it the call, and returns its answer. The worker is
    /// free again once the call, its response body included, has ended. Cancelling the task cancels the call.
    package func perform(_ call: Call, on lane: Lane) async throws(CallFailure) -> Answer { fatalError("seam") }

    /// How many more calls could run or start at once, for the queue's dispatcher: callers that wait count against it.
    package var room: Int { fatalError("seam") }

    /// Called whenever `room` may have grown.
    package func onRoom(_ notify: @escaping @Sendable () -> Void) { fatalError("seam") }

    package var snapshot: PoolSnapshot { fatalError("seam") }

    /// Starts the `min` workers and keeps them; runs until the task is cancelled or `drain` has finished.
    package func run() async { fatalError("seam") }

    /// Takes no more calls, waits for those that run, at most `within`, then stops every worker and waits for its exit.
    package func drain(within: Duration) async { fatalError("seam") }
}

/// A pool at one moment, for people.
package struct PoolSnapshot: Sendable, Codable {
    package struct WorkerSnapshot: Sendable, Codable {
        package var pid: Int32
        /// `starting`, `idle`, `busy` or `stopping`.
        package var state: String
        package var running: Int
        package var invocations: Int
        package var ageSeconds: Double
    }

    package var workers: [WorkerSnapshot]
    package var waiting: Int
    /// Calls that are being run.
    package var running: Int
    /// Starts since the host came up.
    package var started: Int
    /// Why the pool starts no worker now, while it backs off.
    package var backingOff: String?
}

/// Bounds the workers of all pools together, fairly: a pool that waits gets its turn from pools that hold more.
package final class WorkerBudget: Sendable {
    package let limit: Int
    package init(limit: Int) { self.limit = limit }
}

/// Gets one line from a worker; must not block.
package typealias WorkerOutput = @Sendable (WorkerLine) -> Void

package struct WorkerLine: Sendable {
    package enum Source: String, Sendable, Codable {
        /// Logged through the SDK.
        case log
        case stdout, stderr
        /// Said by the host about the worker: started, died, killed.
        case host
    }

    package var function: String
    package var worker: Int32
    package var invocation: InvocationID?
    package var source: Source
    /// `trace`, `debug`, `info`, `notice`, `warning`, `error` or `critical`.
    package var level: String
    package var text: String
    package var metadata: [HeaderField]

    package init(
        function: String, worker: Int32, invocation: InvocationID? = nil, source: Source, level: String, text: String,
        metadata: [HeaderField] = []
    ) {
        self.function = function
        self.worker = worker
        self.invocation = invocation
        self.source = source
        self.level = level
        self.text = text
        self.metadata = metadata
    }
}
