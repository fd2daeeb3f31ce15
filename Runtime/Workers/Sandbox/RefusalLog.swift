import Events
import NIOCore
import Synchronization

/// What the sandbox of one worker has refused, as lines of its log.
///
/// Safe from any thread, and after the worker's end too: the kernel may tell of a refusal when it is gone.
final class RefusalLog: Sendable {
    /// What a line is about. Of each kind there are so many at most, so that one does not keep another from being said.
    enum Kind {
        case call, file, loss
    }

    private struct Contents {
        var wards: [Kind: Ward] = [:]
        var worker: Int32 = 0
        /// The invocation that runs now; to be asked on the lane, until the worker has ended.
        var invocation: @Sendable () -> InvocationID? = { nil }
        var hasEnded = false
    }

    private let function: String
    private let lane: Lane
    private let output: WorkerOutput
    private let contents = Mutex(Contents())

    init(_ function: String, _ lane: Lane, _ output: @escaping WorkerOutput) {
        self.function = function
        self.lane = lane
        self.output = output
    }

    /// - Parameter what: such as `refused ptrace`.
    func add(_ what: String, _ kind: Kind) {
        let line = "sandbox: " + what
        let isLate = contents.withLock { contents in
            guard contents.wards[kind, default: Ward()].isNews(line) else { return false }
            // Under the lock, since the lane may end once the worker has.
            if !contents.hasEnded { lane.loop.execute { [self] in write(line) } }
            return contents.hasEnded
        }
        if isLate { write(line) }
    }

    func asks(_ invocation: @escaping @Sendable () -> InvocationID?) {
        contents.withLock { $0.invocation = invocation }
    }

    func hasStarted(_ worker: Int32) { contents.withLock { $0.worker = worker } }

    /// To be called on the lane. What comes later belongs to `invocation`.
    func hasEnded(during invocation: InvocationID?) {
        contents.withLock { contents in
            contents.invocation = { invocation }
            contents.hasEnded = true
        }
    }

    private func write(_ line: String) {
        let (worker, invocation) = contents.withLock { ($0.worker, $0.invocation) }
        output(
            WorkerLine(
                function: function, worker: worker, invocation: invocation(), source: .host, level: "warning",
                text: line))
    }
}
