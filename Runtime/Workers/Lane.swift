package import NIOCore
import Synchronization

/// One event loop with the connections and workers that live on it.
///
/// A task that prefers its lane's executor runs on the loop's own thread, so that a request hops no thread between its
/// socket and its worker. Jobs that the loop's thread enqueues share one turn of the loop: what one read of a socket
/// has caused runs as one batch.
package final class Lane: TaskExecutor, Sendable {
    package let loop: any EventLoop
    private let jobs = Mutex<[UnownedJob]>([])

    package init(loop: any EventLoop) { self.loop = loop }

    package func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        let isFirst = jobs.withLock { jobs in
            jobs.append(job)
            return jobs.count == 1
        }
        if isFirst { loop.execute { self.runJobs() } }
    }

    private func runJobs() {
        let batch = jobs.withLock { jobs in
            let batch = jobs
            jobs.removeAll(keepingCapacity: true)
            return batch
        }
        let executor = asUnownedTaskExecutor()
        for job in batch { job.runSynchronously(on: executor) }
    }
}
