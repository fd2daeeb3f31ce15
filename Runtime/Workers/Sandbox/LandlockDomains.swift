package import Events

/// Whom the kernel's audit records are about.
///
/// A worker is in a domain with all that it starts, and with its copies. Records name the domain alone, but for one that
/// names the worker, and that comes after the first refusal; it may come before the host has heard of the worker itself.
package struct LandlockDomains<Worker> {
    /// Domains of which the worker is not known: somebody else's for the most part.
    private static var mostUnclaimed: Int { 64 }
    /// Refusals that are kept of each.
    private static var mostHeld: Int { 20 }
    /// Workers that have ended, of which records may still come.
    private static var mostEnded: Int { 256 }
    /// What the kernel tells comes at once, but for the threads in between. A process number that was heard of before may be
    /// another's by now.
    private static var latest: Duration { .seconds(5) }

    private struct Domain {
        /// Since when its process is known.
        var since: SteadyTime?
        var pid: Int32?
        var worker: Worker?
        var seen = 0
        var held: [String] = []
    }

    private struct Member {
        let worker: Worker
        /// Tells it from others who had its process number.
        let number: Int
        var domain: UInt64?
        var end: SteadyTime?
    }

    private var domains: [UInt64: Domain] = [:]
    /// The oldest first.
    private var unclaimed: [UInt64] = []
    private var members: [Int32: Member] = [:]
    private var lastNumber = 0
    /// A ring, so that to end costs the same however many have.
    private var ended: [(pid: Int32, number: Int)] = []
    private var oldest = 0

    package init() {}

    /// Knows a worker from now on. Returns what it has been refused already.
    package mutating func admit(_ pid: Int32, _ worker: Worker, _ now: SteadyTime) -> [String] {
        // Of one that had the same process number.
        if let domain = members[pid]?.domain { domains[domain] = nil }
        lastNumber += 1
        members[pid] = Member(worker: worker, number: lastNumber)
        let known = unclaimed.filter { domains[$0]?.pid == pid }
        guard let id = known.last, let since = domains[id]?.since, now - since < Self.latest else { return [] }
        return claim(id, pid)
    }

    /// A worker has ended; what it has left behind may be in its domain still.
    package mutating func dismiss(_ pid: Int32, _ now: SteadyTime) {
        guard let member = members[pid], member.end == nil else { return }
        members[pid]?.end = now
        guard ended.count == Self.mostEnded else { return ended.append((pid, member.number)) }
        forget(ended[oldest])
        ended[oldest] = (pid, member.number)
        oldest = (oldest + 1) % Self.mostEnded
    }

    /// Returns what is to be said of whom.
    package mutating func receive(
        _ record: AuditRecord, _ now: SteadyTime
    ) -> (worker: Worker, lines: [String])? {
        switch record {
        case .access(let id, let line):
            hold(id)
            domains[id]?.seen += 1
            if let worker = domains[id]?.worker { return (worker, [line]) }
            if domains[id]?.held.count ?? 0 < Self.mostHeld { domains[id]?.held.append(line) }
            return nil
        case .allocated(let id, let pid):
            hold(id)
            domains[id]?.pid = pid
            domains[id]?.since = now
            // A worker is in one domain of the host's.
            guard domains[id]?.worker == nil, let member = members[pid], member.domain == nil,
                member.end.map({ now - $0 < Self.latest }) ?? true
            else { return nil }
            return (member.worker, claim(id, pid))
        case .deallocated(let id, let denials):
            guard let domain = domains.removeValue(forKey: id) else { return nil }
            unclaimed.removeAll { $0 == id }
            guard let worker = domain.worker, domain.seen < denials else { return nil }
            return (worker, ["refused \(denials) things, of which the kernel has told \(domain.seen)"])
        }
    }

    /// Those that have not ended.
    package var running: [Worker] { members.values.filter { $0.end == nil }.map(\.worker) }

    private mutating func hold(_ id: UInt64) {
        guard domains[id] == nil else { return }
        domains[id] = Domain()
        unclaimed.append(id)
        if unclaimed.count > Self.mostUnclaimed { domains[unclaimed.removeFirst()] = nil }
    }

    private mutating func claim(_ id: UInt64, _ pid: Int32) -> [String] {
        unclaimed.removeAll { $0 == id }
        members[pid]?.domain = id
        domains[id]?.worker = members[pid]?.worker
        defer { domains[id]?.held = [] }
        return domains[id]?.held ?? []
    }

    private mutating func forget(_ ended: (pid: Int32, number: Int)) {
        guard members[ended.pid]?.number == ended.number else { return }
        guard let domain = members.removeValue(forKey: ended.pid)?.domain else { return }
        domains[domain] = nil
    }
}
