import Dispatch
import Events
import Logging
import Manifests
import Storage
import Support
import Synchronization
import Testing
import Triggers

@Suite("The timer service on real storage")
struct TimerServiceTests {
    private let quiet = Logger(label: "timers", factory: { _ in SwiftLogNoOpLogHandler() })

    /// A host that comes up at the clock's time, and goes down when `body` ends.
    private func withHost(
        _ store: Store, _ clock: ManualTimerClock, _ manifests: [Manifest], batch: Int = 1000,
        notify: @escaping @Sendable () -> Void = {}, _ body: (TimerService) async throws -> Void
    ) async throws {
        let service = TimerService(store: store, clock: clock, batch: batch, notify: notify, logger: quiet)
        try await service.update(manifests)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await service.run() }
            try await settled(clock)
            try await body(service)
            group.cancelAll()
            try await group.waitForAll()
        }
    }

    /// Waits until all that is due has been recorded: only then is the alarm set, and to a later time.
    private func settled(_ clock: ManualTimerClock) async throws {
        let isSettled = await eventually {
            let (time, count) = clock.armed
            return count > 0 && time.map { $0 > clock.now } ?? true
        }
        try #require(isSettled)
    }

    private func pass(_ clock: ManualTimerClock, to time: String) async throws {
        let time = WallTime(time)
        clock.move(to: time, uptime: time.since(clock.now))
        try await settled(clock)
    }

    /// The due times of all invocations of `digest`, oldest first.
    private func dues(_ store: Store) async throws -> [String] {
        try await store.recent(function: "digest", state: nil, limit: 10_000).map(\.due).sorted()
            .map { String($0.description.dropFirst(11).prefix(5)) }
    }

    @Test(
        "a restart over three due times does what missed says, once",
        arguments: [
            (TimerTrigger.Missed.none, ["07:00"]), (.once, ["07:00", "10:00"]),
            (.all, ["07:00", "08:00", "09:00", "10:00"]),
        ])
    func restart(missed: TimerTrigger.Missed, expected: [String]) async throws {
        let manifest = Manifest.timers("digest", TimerTrigger(schedule: .cron("0 * * * *"), missed: missed))
        try await withTemporaryFolder { folder in
            let store = try Store(directory: folder)
            defer { try? store.close() }
            try await withHost(store, ManualTimerClock("2030-11-20T06:30"), [manifest]) { _ in }
            let clock = ManualTimerClock("2030-11-20T06:59")
            try await withHost(store, clock, [manifest]) { _ in try await pass(clock, to: "2030-11-20T07:00") }
            for _ in 1...2 {
                try await withHost(store, ManualTimerClock("2030-11-20T10:00:01"), [manifest]) { _ in }
                #expect(try await dues(store) == expected)
            }
        }
    }

    @Test("a clock that is set back fires nothing twice, and goes on firing")
    func setBack() async throws {
        let manifest = Manifest.timers("digest", TimerTrigger(schedule: .cron("0 * * * *"), overlap: .allow))
        try await withTemporaryFolder { folder in
            let store = try Store(directory: folder)
            defer { try? store.close() }
            let clock = ManualTimerClock("2030-11-20T06:30")
            try await withHost(store, clock, [manifest]) { _ in
                try await pass(clock, to: "2030-11-20T07:00")
                try await pass(clock, to: "2030-11-20T08:00")
                clock.move(to: WallTime("2030-11-20T05:30"), uptime: .zero)
                #expect(await eventually { clock.armed.time == WallTime("2030-11-20T06:00") })
                for hour in 6...9 { try await pass(clock, to: "2030-11-20T0\(hour):00") }
            }
            #expect(try await dues(store) == ["06:00", "07:00", "08:00", "09:00"])
        }
    }

    @Test("both clock changes of a year, with one fire a day")
    func year() async throws {
        let trigger = TimerTrigger(schedule: .cron("30 2 * * *"), zone: "Europe/Berlin", overlap: .allow)
        try await withTemporaryFolder { folder in
            let store = try Store(directory: folder)
            defer { try? store.close() }
            let clock = ManualTimerClock("2026-01-01T00:00")
            try await withHost(store, clock, [Manifest.timers("digest", trigger)]) { _ in
                while let next = clock.armed.time, next < WallTime("2027-01-01T00:00") {
                    clock.move(to: next, uptime: next.since(clock.now))
                    try await settled(clock)
                }
            }
            let days = try await store.recent(function: "digest", state: nil, limit: 1000).map(\.due)
            #expect(days.count == 365 && Set(days).count == 365)
            #expect(days.contains(WallTime("2026-03-29T01:00")) && days.contains(WallTime("2026-10-25T00:30")))
        }
    }

    @Test("a busy timer is skipped, and fires again when it is done")
    func busy() async throws {
        let manifest = Manifest.timers("digest", TimerTrigger(schedule: .cron("0 * * * *")))
        try await withTemporaryFolder { folder in
            let store = try Store(directory: folder)
            defer { try? store.close() }
            let clock = ManualTimerClock("2030-11-20T06:30")
            try await withHost(store, clock, [manifest]) { _ in
                try await pass(clock, to: "2030-11-20T07:00")
                try await pass(clock, to: "2030-11-20T08:00")
                let running = try await store.lease(function: "digest", limit: 9, now: clock.now)
                #expect(running.count == 1)
                for lease in running.map(\.lease) {
                    _ = try await store.commit(Commit(effects: nil, settle: (lease, .done)))
                }
                try await pass(clock, to: "2030-11-20T09:00")
            }
            #expect(try await dues(store) == ["07:00", "09:00"])
        }
    }

    @Test("a reload keeps what stays, begins anew what changed, and forgets what is gone")
    func reload() async throws {
        let hourly = TimerTrigger(schedule: .cron("0 * * * *"), overlap: .allow)
        let half = TimerTrigger(schedule: .cron("30 * * * *"), overlap: .allow)
        try await withTemporaryFolder { folder in
            let store = try Store(directory: folder)
            defer { try? store.close() }
            let clock = ManualTimerClock("2030-11-20T06:45")
            try await withHost(store, clock, [.timers("digest", hourly)]) { service in
                try await service.update([.timers("digest", hourly, half)])
                try await pass(clock, to: "2030-11-20T07:00")
                try await pass(clock, to: "2030-11-20T07:30")
                try await service.update([.timers("digest", half)])
                try await pass(clock, to: "2030-11-20T08:00")
                #expect(await eventually { clock.armed.time == WallTime("2030-11-20T08:30") })
            }
            #expect(try await dues(store) == ["07:00", "07:30"])
        }
    }

    @Test("a timer that was taken out and put back has missed nothing meanwhile, and fires for no time twice")
    func putBack() async throws {
        let hourly = TimerTrigger(schedule: .cron("0 * * * *"), overlap: .allow)
        try await withTemporaryFolder { folder in
            let store = try Store(directory: folder)
            defer { try? store.close() }
            let clock = ManualTimerClock("2030-11-20T06:45")
            try await withHost(store, clock, [.timers("digest", hourly)]) { service in
                try await pass(clock, to: "2030-11-20T07:00")
                try await service.update([])
                try await pass(clock, to: "2030-11-20T09:30")
                try await service.update([.timers("digest", hourly)])
                #expect(await eventually { clock.armed.time == WallTime("2030-11-20T10:00") })
                try await pass(clock, to: "2030-11-20T10:00")
            }
            #expect(try await dues(store) == ["07:00", "10:00"])
        }
    }

    @Test("of many that were missed none is lost where the queue has room for some of them at a time")
    func littleRoom() async throws {
        var trigger = TimerTrigger(schedule: .every(.seconds(3600)))
        trigger.missed = .all
        let manifest = Manifest.timers("digest", trigger)
        try await withTemporaryFolder { folder in
            let store = try Store(directory: folder)
            defer { try? store.close() }
            try await withHost(store, ManualTimerClock("2020-11-20T00:00"), [manifest]) { _ in }
            let clock = ManualTimerClock("2020-11-21T16:00")
            store.setBounds(["digest": QueueBounds(waiting: 12)])
            let taken = Mutex<Set<WallTime>>([])
            let take: @Sendable () async throws -> Void = {
                for leased in try await store.lease(function: "digest", limit: 4, now: clock.now) {
                    _ = try await store.commit(Commit(effects: nil, settle: (leased.lease, .done)))
                    taken.withLock { _ = $0.insert(leased.invocation.due) }
                }
            }
            // As the engine does, and before the next are recorded.
            let notify = { @Sendable in
                let hasTaken = DispatchSemaphore(value: 0)
                Task.detached {
                    try? await take()
                    hasTaken.signal()
                }
                hasTaken.wait()
            }
            try await withHost(store, clock, [manifest], batch: 10, notify: notify) { _ in
                let all = try await eventually(within: .seconds(60)) {
                    try await take()
                    clock.move(to: clock.now.advanced(by: .seconds(60)), uptime: .seconds(60))
                    return taken.withLock { $0.count } >= 40
                }
                #expect(all, "\(taken.withLock { $0.count })")
            }
        }
    }

    @Test("thousands that are due at once fire together, and the engine is told")
    func burst() async throws {
        let triggers = (0..<2500).map { _ in TimerTrigger(schedule: .cron("0 7 * * *")) }
        let manifest = Manifest(
            name: "digest", handler: Handler(command: ["/bin/true"], contract: .stdio, directory: "/"),
            triggers: triggers.map(Trigger.timer))
        try await withTemporaryFolder { folder in
            let store = try Store(directory: folder)
            defer { try? store.close() }
            let told = Atomic(0)
            let clock = ManualTimerClock("2030-11-20T06:30")
            try await withHost(store, clock, [manifest], notify: { told.add(1, ordering: .relaxed) }) { _ in
                try await pass(clock, to: "2030-11-20T07:00")
            }
            #expect(try await store.queueCounts()["digest"]?.waiting == 2500)
            #expect(told.load(ordering: .relaxed) == 3)
        }
    }
}

@Suite("The system's clock for timers")
struct SystemTimerClockTests {
    @Test("it wakes for a time that comes, for one that has passed, and no more once stopped")
    func wakes() async throws {
        let clock = SystemTimerClock()
        try clock.start()
        var wakes = clock.wakes.makeAsyncIterator()
        // The first is for the start itself.
        #expect(await wakes.next() != nil)
        let due = clock.now.advanced(by: .milliseconds(30))
        clock.arm(at: due)
        while clock.now < due { #expect(await wakes.next() != nil) }
        clock.arm(at: clock.now.advanced(by: .seconds(-60)))
        #expect(await wakes.next() != nil)
        clock.arm(at: nil)
        clock.stop()
        // One may have been on its way.
        while await wakes.next() != nil {}
        clock.stop()
    }
}
