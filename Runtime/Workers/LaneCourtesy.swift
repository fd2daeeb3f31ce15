package import NIOPosix
import Wire

/// Lets others have the processor before a lane sleeps: an event loop tells its delegate when a turn is over.
package final class LaneCourtesy: NIOEventLoopMetricsDelegate, @unchecked Sendable {
    // `@unchecked`: for one event loop, which calls it on its own thread.
    private var courtesy = Courtesy()

    package init() {}

    package func processedTick(info: NIOEventLoopTickInfo) { courtesy.yield() }
}
