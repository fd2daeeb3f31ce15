package import NIOCore

/// One event loop with the connections and workers that live on it.
///
/// A task that prefers its lane's executor runs on the loop's own thread, so that a request hops no thread between its
/// socket and its worker.
package final class Lane: TaskExecutor, Sendable {
    package let loop: any EventLoop

    package init(loop: any EventLoop) { self.loop = loop }

    package func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        loop.execute { [self] in job.runSynchronously(on: asUnownedTaskExecutor()) }
    }
}
