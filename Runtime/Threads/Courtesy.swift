import Glibc

/// Lets others have the processor before a thread sleeps.
///
/// A thread that sleeps as soon as nothing is left has to be woken a moment later, which costs whoever wakes it an interrupt,
/// and its processor may idle until then. Those who wait for this processor often bring the next work when they go first.
/// Now and then one of them keeps the processor for a whole slice of time. Where most do, there is nobody to be nice to: with
/// more than one long yield in seventeen, there is none for a while.
package struct Courtesy: Sendable {
    /// In nanoseconds; a slice of the scheduler's is longer, and all that serve a request together take less.
    private static let longest: Int64 = 1_000_000
    /// What a long yield adds to the debt, of which each other one takes off 1.
    private static let price: Int64 = 16
    /// Two long yields in a row may be chance.
    private static let credit = 2 * price
    private static let mostDebt = 32 * price
    /// Of one yield: a process that was stopped meanwhile is not one that others kept from running.
    private static let mostCounted = 100 * longest

    private var debt: Int64 = 0
    /// No yield before; in nanoseconds.
    private var rest: Int64 = 0

    package init() {}

    /// To be called when the thread is about to sleep.
    package mutating func yield() {
        let start = SteadyClock.now
        guard isDue(start) else { return }
        sched_yield()
        hasYielded(since: start, until: SteadyClock.now)
    }

    /// Times are in nanoseconds, of any clock that only goes forward.
    package func isDue(_ now: Int64) -> Bool { now >= rest }

    package mutating func hasYielded(since start: Int64, until end: Int64) {
        let time = end - start
        guard time > Self.longest else {
            debt = max(0, debt - 1)
            return
        }
        debt = min(debt + Self.price, Self.mostDebt)
        if debt > Self.credit { rest = end + debt * min(time, Self.mostCounted) }
    }
}
