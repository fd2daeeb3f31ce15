package import Events

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
