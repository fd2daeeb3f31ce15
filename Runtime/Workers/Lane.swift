package import NIOCore
import Synchronization

/// One event loop with the connections and workers that live on it.
///
/// A task that prefers its lane's executor runs on the loop's own thread, so that a request hops no thread between its
/// socket and its worker. What is given to a lane meanwhile shares one turn of the loop: what one read of a socket, or one
/// commit, has caused runs as one batch.
package final class Lane: TaskExecutor, Sendable {
    package let loop: any EventLoop
    let memories: MemoryWatch
    private let work = Mutex<[Work]>([])

    private enum Work {
        case job(UnownedJob)
        case delivery(@Sendable () -> Void)
    }

    /// - Parameter courtesy: the loop's delegate.
    package init(loop: any EventLoop, courtesy: LaneCourtesy? = nil) {
        self.loop = loop
        memories = MemoryWatch(loop, courtesy: courtesy)
    }

    package func enqueue(_ job: consuming ExecutorJob) { add(.job(UnownedJob(job))) }

    /// Runs `body` on the loop: at once when this is its thread, else soon.
    package func deliver(_ body: @escaping @Sendable () -> Void) {
        if loop.inEventLoop { body() } else { enqueue(body) }
    }

    /// Runs `body` on the loop, soon.
    func enqueue(_ body: @escaping @Sendable () -> Void) { add(.delivery(body)) }

    private func add(_ next: Work) {
        let isFirst = work.withLock { work in
            work.append(next)
            return work.count == 1
        }
        if isFirst { loop.execute { self.runWork() } }
    }

    private func runWork() {
        let batch = work.withLock { work in
            let batch = work
            work.removeAll(keepingCapacity: true)
            return batch
        }
        let executor = asUnownedTaskExecutor()
        for next in batch {
            switch next {
            case .job(let job): job.runSynchronously(on: executor)
            case .delivery(let body): body()
            }
        }
    }
}
