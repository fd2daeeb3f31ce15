import CSlice
import Glibc

/// For how long a thread keeps its processor, and lets another wait, when both have something to do.
///
/// The kernel's slice is 0.7 to 3 ms, by the number of processors, while a request needs its threads for some microseconds
/// each: one that waits for a whole slice is late by dozens of requests. A thread with a shorter slice has its turn sooner
/// when it is woken, and no more of the processor in all (EEVDF, kernel/sched/fair.c: PREEMPT_SHORT).
package struct Slice: Sendable, Hashable {
    /// Of the lanes and of the writer, who wait for each other, so that both have the same. With 0.5 ms, calls to workers that
    /// run one at a time are fewer.
    package static let short = Slice(microseconds: 700)

    package let microseconds: Int

    package init(microseconds: Int) { self.microseconds = microseconds }

    /// `SCHED_FLAG_RESET_ON_FORK`: what the thread starts has the kernel's slice again.
    private static let isNotInherited: UInt64 = 1

    /// From now on, the calling thread has this one, unless its own is as short. Linux before 6.12 takes no notice.
    ///
    /// Returns an errno where the kernel refuses it; 0 else, and where the thread is not one of those that share a processor
    /// by slices, by an operator's wish (sched(7): SCHED_FIFO, for one).
    @discardableResult
    package func take() -> Int32 {
        var attributes = apus_sched_attr()
        guard apus_get_scheduling(0, &attributes) == 0 else { return errno }
        let length = UInt64(microseconds) * 1000
        let isShorter = attributes.runtime > 0 && attributes.runtime <= length
        guard attributes.policy == UInt32(SCHED_OTHER), !isShorter else { return 0 }
        attributes.runtime = length
        // It would take a negative nice value from them as well.
        if attributes.nice >= 0 { attributes.flags |= Self.isNotInherited }
        return apus_set_scheduling(0, &attributes) == 0 ? 0 : errno
    }

    /// That of a thread; `nil` where the kernel does not tell, or where there is no such thread.
    ///
    /// - Parameter thread: as gettid(2) names it; 0 is the calling one.
    package static func of(_ thread: Int32 = 0) -> Slice? {
        var attributes = apus_sched_attr()
        guard apus_get_scheduling(thread, &attributes) == 0, attributes.runtime > 0 else { return nil }
        return Slice(microseconds: Int(attributes.runtime / 1000))
    }
}
