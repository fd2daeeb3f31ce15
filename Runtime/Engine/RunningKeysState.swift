/// Which keys are taken, and who waits for them. Pure: a value that says who may go on.
struct RunningKeysState<Waiter> {
    private struct Running {
        let fingerprint: [UInt8]
        /// In the order in which they came.
        var waiting: [(ticket: UInt64, waiter: Waiter)] = []
    }

    private var running: [KeyedRequest.Name: Running] = [:]

    /// What a request with the key does now; `nil` when it has to wait.
    mutating func enter(_ name: KeyedRequest.Name, _ fingerprint: [UInt8]) -> RunningKeys.Turn? {
        guard let first = running[name] else {
            running[name] = Running(fingerprint: fingerprint)
            return .first
        }
        return first.fingerprint == fingerprint ? nil : .differs
    }

    /// Lets a request wait, unless it may go on by now or `most` wait already.
    mutating func wait(
        _ name: KeyedRequest.Name, _ fingerprint: [UInt8], _ ticket: UInt64, _ waiter: Waiter, most: Int
    ) -> RunningKeys.Turn? {
        if let turn = enter(name, fingerprint) { return turn }
        guard let waiting = running[name]?.waiting.count, waiting < most else { return .late }
        running[name]?.waiting.append((ticket, waiter))
        return nil
    }

    /// Takes one that waits out of the line; `nil` when it waits no more.
    mutating func leave(_ name: KeyedRequest.Name, _ ticket: UInt64) -> Waiter? {
        guard let index = running[name]?.waiting.firstIndex(where: { $0.ticket == ticket }) else { return nil }
        return running[name]?.waiting.remove(at: index).waiter
    }

    /// The request that had the key has ended. Returns who goes on: all, with its answer; or, when it has none, the first,
    /// which has the key now.
    mutating func release(_ name: KeyedRequest.Name, isAnswered: Bool) -> [Waiter] {
        guard var ended = running.removeValue(forKey: name) else { return [] }
        guard !isAnswered, !ended.waiting.isEmpty else { return ended.waiting.map(\.waiter) }
        let next = ended.waiting.removeFirst().waiter
        running[name] = ended
        return [next]
    }

    /// Keys that are taken.
    var count: Int { running.count }
}
