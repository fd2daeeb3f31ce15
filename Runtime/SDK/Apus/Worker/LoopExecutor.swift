import Glibc
import Synchronization

/// Runs the jobs of all calls on the worker's loop thread, between its reads. Other threads that enqueue a job (a
/// continuation resumed elsewhere) wake the loop.
final class LoopExecutor: TaskExecutor, Sendable {
    /// Jobs whose memory is kept for the next ones.
    private static let mostKept = 64

    private let jobs = Mutex<[UnownedJob]>([])
    private let alarm: Alarm

    init(alarm: Alarm) { self.alarm = alarm }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        jobs.withLock { $0.append(job) }
        alarm.ringFromElsewhere()
    }

    /// Runs what is enqueued, and what that enqueues, for at most `rounds`; a job that never ends to yield must not keep
    /// the loop from its socket. Returns whether something is left. Only for the loop thread.
    ///
    /// - Parameter batch: empty before and after; its memory is used.
    func runJobs(_ batch: inout [UnownedJob], rounds: Int = 16) -> Bool {
        for _ in 0..<rounds {
            jobs.withLock { swap(&$0, &batch) }
            if batch.isEmpty { return false }
            for job in batch { job.runSynchronously(on: asUnownedTaskExecutor()) }
            batch.removeAll(keepingCapacity: batch.count <= Self.mostKept)
        }
        return jobs.withLock { !$0.isEmpty }
    }
}

/// A pipe that wakes the loop thread out of `poll`.
final class Alarm: Sendable {
    /// Readable once it has rung.
    let descriptor: Int32
    private let bell: Int32
    /// The thread that made this one, which is the loop's.
    private let owner: pthread_t

    init() throws {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { throw SystemError("pipe", errno) }
        for end in ends {
            _ = fcntl(end, F_SETFD, FD_CLOEXEC)
            _ = fcntl(end, F_SETFL, O_NONBLOCK)
        }
        descriptor = ends[0]
        bell = ends[1]
        owner = pthread_self()
    }

    deinit {
        close(descriptor)
        close(bell)
    }

    /// Does nothing on the loop thread, which looks at its work before it sleeps anyway.
    func ringFromElsewhere() {
        guard pthread_equal(pthread_self(), owner) == 0 else { return }
        // A full pipe has rung already: nothing is lost when the write fails.
        var byte: UInt8 = 1
        _ = write(bell, &byte, 1)
    }

    /// Forgets that it was rung.
    func silence() {
        var bytes: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
        while read(descriptor, &bytes, MemoryLayout.size(ofValue: bytes)) > 0 {}
    }
}

/// A system call that failed.
struct SystemError: Error, CustomStringConvertible {
    let description: String
    init(_ call: String, _ code: Int32) { description = "\(call): \(String(cString: strerror(code)))" }
}
