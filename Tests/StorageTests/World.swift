import Dispatch
import Events
import Foundation
import Storage
import Support

/// Runs `body` with a store in a fresh folder.
func withStore<Result>(_ body: (Store, String) async throws -> Result) async throws -> Result {
    try await withTemporaryFolder { folder in
        let store = try Store(directory: folder + "/data")
        let result = try await body(store, folder + "/data")
        try store.close()
        return result
    }
}

/// Runs `body` with a store whose units each say that they run, and go on when they are told to.
func withHaltingStore(
    _ body: (Store, _ running: DispatchSemaphore, _ others: DispatchSemaphore) async throws -> Void
) async throws {
    try await withTemporaryFolder { folder in
        let (running, others) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
        // Asked for on the writer's thread, while a unit runs.
        let clock: @Sendable () -> WallTime = {
            running.signal()
            others.wait()
            return .at(0)
        }
        let store = try Store(directory: folder + "/data", now: clock)
        try await body(store, running, others)
        try store.close()
    }
}

/// Runs `body` with the store of `folder`, which exists already.
func reopening<Result>(_ folder: String, _ body: (Store) async throws -> Result) async throws -> Result {
    let store = try Store(directory: folder)
    let result = try await body(store)
    try store.close()
    return result
}

extension WallTime {
    /// `seconds` after some day of 2020, before the clock of whoever runs the tests.
    static func at(_ seconds: Int64) -> WallTime { WallTime(milliseconds: 1_600_000_000_000 + seconds * 1000) }
}

extension NewInvocation {
    /// An event that was due long ago.
    static func sample(
        _ event: String, function: String = "f", trigger: String? = nil, due: WallTime = .at(0),
        exclusive: Bool = false, urgency: Int = NewInvocation.usualUrgency, data: [UInt8] = [],
        request: RequestHead? = nil
    ) -> NewInvocation {
        NewInvocation(
            function: function, kind: .timer, trigger: trigger ?? "\(function)/timer/0",
            event: Event(
                id: event, source: "/timers/\(function)/0", type: "apus.timer.due", time: due, data: data),
            request: request, due: due, line: exclusive ? trigger ?? "\(function)/timer/0" : nil, urgency: urgency)
    }
}

extension Effects {
    static func writing(_ writes: [StateKey: Write], in namespace: String = "n") -> Effects {
        var effects = Effects(namespace: namespace)
        effects.writes = writes.map { Effects.KeyWrite($0.key, $0.value) }
        return effects
    }
}

extension Store {
    /// Leases one invocation and settles it.
    func runOne(_ function: String = "f", _ settlement: Settlement = .done, now: WallTime = .at(1000)) async throws
        -> LeasedInvocation?
    {
        guard let leased = try await lease(function: function, limit: 1, now: now).first else { return nil }
        _ = try await commit(Commit(effects: nil, settle: (leased.lease, settlement)))
        return leased
    }

    /// Removes what was done before `time`, and the instants of timers that nobody asks for.
    func prune(doneBefore time: WallTime) async throws -> Int {
        try await pruneInstants()
        var retention = Retention()
        retention.done = .zero
        return try await prune(retention, now: time).done
    }

    /// Handles one instant.
    func fire(timer key: String, due: WallTime, invocation: NewInvocation?, skipIfBusy: Bool) async throws
        -> FireResult
    {
        try await fire([TimerFire(timer: key, due: due, invocation: invocation, skipIfBusy: skipIfBusy)])[0]
    }

    func put(_ key: String, _ text: String, in namespace: String = "n") async throws {
        _ = try await commit(Commit(effects: .writing([StateKey(key): .set(Array(text.utf8))], in: namespace)))
    }

    func text(_ key: String, in namespace: String = "n") async throws -> String? {
        try value(key, in: namespace).map { String(decoding: $0.value, as: UTF8.self) }
    }
}

/// Copies the database and its log, as a power cut would leave them.
func copyOfDatabase(from folder: String, to copy: String) throws -> String {
    try FileManager.default.createDirectory(atPath: copy, withIntermediateDirectories: true)
    for name in ["/apus.db", "/apus.db-wal"] {
        try FileManager.default.copyItem(atPath: folder + name, toPath: copy + name)
    }
    return copy
}

/// Vigna's SplitMix64: the same numbers in each run.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
