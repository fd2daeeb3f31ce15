import Dispatch
import Events
import Synchronization

/// The units that wait for the writer.
final class Waiting: Sendable {
    /// A transaction begins with so many units or bytes at most, and takes in as many again, so that the first in it does
    /// not wait for long.
    fileprivate static let largestBatch = (units: 512, bytes: 4 << 20)

    fileprivate struct State {
        var units: [any Unit] = []
        var isClosed = false
        /// Why the store takes nothing now.
        var refusal: StorageError?
        /// Wakes the writer when so many are waiting; `nil` while it is awake.
        var wakeAt: Int?
    }

    private let state = Mutex(State())
    private let wake = DispatchSemaphore(value: 0)

    var count: Int { state.withLock { $0.units.count } }

    /// Refuses what comes from now on.
    func close() {
        state.withLock { $0.isClosed = true }
        wake.signal()
    }

    /// Returns why the unit is not taken; `nil` when it is.
    func append(_ unit: any Unit) -> StorageError? {
        let (refusal, mustWake): (StorageError?, Bool) = state.withLock { state in
            if state.isClosed { return (StorageError(.closed, "the store is closed"), false) }
            if let refusal = state.refusal { return (refusal, false) }
            state.units.append(unit)
            guard let enough = state.wakeAt, state.units.count >= enough else { return (nil, false) }
            state.wakeAt = nil
            return (nil, true)
        }
        if mustWake { wake.signal() }
        return refusal
    }

    /// Takes nothing more until `accept`. Returns what is waiting, for which nothing will be done.
    func refuse(because error: StorageError) -> [any Unit] {
        state.withLock { state in
            if state.refusal?.code != .damaged { state.refusal = error }
            defer { state.units = [] }
            return state.units
        }
    }

    /// What was refused because of damage stays so.
    func accept() {
        state.withLock { if $0.refusal?.code != .damaged { $0.refusal = nil } }
    }

    /// Waits for so long (`nil`: for ever); `false` when it was closed.
    func rest(for time: Duration?) -> Bool {
        let end = time.map { DispatchTime.now() + .nanoseconds(Int($0.nanoseconds)) } ?? .distantFuture
        // Whoever has closed it may have done so before, and has left his signal to the wait above.
        while !state.withLock({ $0.isClosed }), wake.wait(timeout: end) == .success {}
        return !state.withLock { $0.isClosed }
    }

    /// Waits for the first unit, and as `gathering` says for more; `false` when there will be none.
    func awaits(_ gathering: Gathering) -> Bool {
        let end = DispatchTime.now() + .nanoseconds(Int(gathering.patience.nanoseconds))
        while wantsMore(than: gathering.expected), wake.wait(timeout: end) == .success {}
        while wantsMore(than: 1) { wake.wait() }
        return state.withLock { !$0.isClosed || !$0.units.isEmpty }
    }

    /// As many of those that have come by now as go together; none where they were refused meanwhile.
    func take() -> [any Unit] { state.withLock { $0.takeBatch() } }

    /// Whether fewer than `enough` are waiting and more may come; if so, `wake` tells when there are enough.
    private func wantsMore(than enough: Int) -> Bool {
        state.withLock { state in
            let wants = state.units.count < enough && !state.isClosed
            state.wakeAt = wants ? enough : nil
            return wants
        }
    }
}

extension Waiting.State {
    fileprivate mutating func takeBatch() -> [any Unit] {
        var bytes = 0
        var count = 0
        while count < units.count, count < Waiting.largestBatch.units, bytes < Waiting.largestBatch.bytes {
            bytes += units[count].bytes
            count += 1
        }
        defer { units.removeFirst(count) }
        return Array(units[..<count])
    }
}

/// How long it pays to wait for company.
///
/// Callers that were answered together tend to come back together. Without patience, the first of them would start a
/// commit alone, and the others would wait for all of it. But where some came during the last commit, they are company
/// enough: the next one begins with them, while the others are answered.
struct Gathering {
    /// As many as were there last.
    private(set) var expected = 1
    /// A part of what the last commit took, so that patience that is in vain costs little.
    private(set) var patience = Duration.zero

    /// - Parameters:
    ///   - batch: units in the last transaction.
    ///   - waiting: units that came meanwhile.
    ///   - time: what the transaction took.
    mutating func ended(batch: Int, waiting: Int, in time: Duration) {
        expected = waiting > 0 ? 1 : batch
        patience = waiting > 0 ? .zero : min(time / 4, .milliseconds(2))
    }
}
