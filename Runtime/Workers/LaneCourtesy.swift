package import NIOPosix
import Threads

/// Lets others have the processor before a lane sleeps: an event loop tells its delegate when a turn is over.
package final class LaneCourtesy: NIOEventLoopMetricsDelegate, @unchecked Sendable {
    // `@unchecked`: for one event loop, which calls it on its own thread.
    private var courtesy = Courtesy()
    private let isBusy: @Sendable () -> Bool

    /// - Parameter isBusy: somebody else's work goes on whose end will bring much at once, such as a commit: no yield then,
    ///   since what the lane would get in little parts makes the next one smaller.
    package init(unless isBusy: @escaping @Sendable () -> Bool) { self.isBusy = isBusy }

    /// Turns of the loop: after each it looks at its sockets.
    private(set) var ticks = 0

    package func processedTick(info: NIOEventLoopTickInfo) {
        ticks &+= 1
        yield()
    }

    func yield() { if !isBusy() { courtesy.yield() } }
}
