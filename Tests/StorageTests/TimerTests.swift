import Events
import Storage
import Testing

@Suite("Timers")
struct TimerTests {
    private func fire(_ store: Store, _ seconds: Int64, skipIfBusy: Bool = false) async throws -> FireResult {
        try await store.fire(
            timer: "f/timer/0", due: .at(seconds), invocation: .sample("\(seconds)", due: .at(seconds)),
            skipIfBusy: skipIfBusy)
    }

    @Test("a timer is registered once, and anew when its definition changes")
    func register() async throws {
        try await withStore { (store, folder) async throws in
            let first = try await store.register(timer: "t", definition: "a", since: .at(10))
            #expect(first == TimerRecord(definition: "a", handled: .at(10), lastFired: nil))
            _ = try await store.fire(timer: "t", due: .at(20), invocation: .sample("1"), skipIfBusy: false)
            let known = try await store.register(timer: "t", definition: "a", since: .at(99))
            #expect(known == TimerRecord(definition: "a", handled: .at(20), lastFired: .at(20)))
            let anew = try await store.register(timer: "t", definition: "b", since: .at(30))
            #expect(anew == TimerRecord(definition: "b", handled: .at(30), lastFired: nil))
            try store.close()
            try await reopening(folder) { (store) async throws in #expect(try await store.timers() == ["t": anew]) }
        }
    }

    @Test("an instant fires once, also after a restart")
    func once() async throws {
        try await withStore { (store, folder) async throws in
            #expect(try await fire(store, 1) == .enqueued)
            #expect(try await fire(store, 1) == .duplicate)
            try store.close()
            try await reopening(folder) { (store) async throws in
                #expect(try await fire(store, 1) == .duplicate)
                #expect(try await fire(store, 2) == .enqueued)
                #expect(try await store.queueCounts()["f"]?.enqueued == 2)
            }
        }
    }

    @Test("an instant fires once also when its row is gone and its definition has changed")
    func onceAfterPruning() async throws {
        try await withStore { (store, _) async throws in
            _ = try await store.register(timer: "f/timer/0", definition: "a", since: .at(0))
            #expect(try await fire(store, 1) == .enqueued)
            #expect(try await fire(store, 200_000) == .enqueued)
            while try await store.runOne(now: .now()) != nil {}
            #expect(try await store.prune(doneBefore: .now().advanced(by: .seconds(9))) == 2)
            #expect(try await fire(store, 1) == .duplicate)
            #expect(try await fire(store, 200_000) == .duplicate)
        }
    }

    @Test("missed instants fire in ascending order, those before the last are handled with it")
    func missed() async throws {
        try await withStore { (store, _) async throws in
            _ = try await store.register(timer: "f/timer/0", definition: "a", since: .at(0))
            let fires = (1...3).map {
                TimerFire(
                    timer: "f/timer/0", due: .at($0), invocation: .sample("\($0)", due: .at($0)), skipIfBusy: false)
            }
            #expect(try await store.fire(fires) == [.enqueued, .enqueued, .enqueued])
            #expect(try await fire(store, 9) == .enqueued)
            #expect(try await fire(store, 5) == .duplicate)
            #expect(try await store.timers()["f/timer/0"]?.handled == .at(9))
        }
    }

    @Test("a skipped instant is handled and enqueues nothing")
    func noted() async throws {
        try await withStore { (store, _) async throws in
            let result = try await store.fire(timer: "f/timer/0", due: .at(3), invocation: nil, skipIfBusy: true)
            #expect(result == .noted)
            #expect(try await fire(store, 3) == .duplicate)
            #expect(try await store.timers()["f/timer/0"]?.lastFired == nil)
            #expect(try await store.queueCounts() == [:])
        }
    }

    @Test("an instant is skipped while an earlier invocation waits, runs or will be tried again")
    func skipIfBusy() async throws {
        try await withStore { (store, _) async throws in
            #expect(try await fire(store, 1, skipIfBusy: true) == .enqueued)
            #expect(try await fire(store, 2, skipIfBusy: true) == .skippedBusy)
            _ = try await store.runOne("f", .retry(at: .at(50), outcome: .failed, reason: ""))
            #expect(try await fire(store, 3, skipIfBusy: true) == .skippedBusy)
            _ = try await store.runOne()
            #expect(try await fire(store, 2, skipIfBusy: true) == .duplicate)
            #expect(try await fire(store, 4, skipIfBusy: true) == .enqueued)
        }
    }

    @Test("an instant that finds no room is passed by no later one, not even one that is skipped and needs none")
    func noRoom() async throws {
        try await withStore { (store, _) async throws in
            store.setBounds(["f": QueueBounds(waiting: 1)])
            let fires = (1...3).map { number in
                TimerFire(
                    timer: "f/timer/0", due: .at(number), invocation: .sample("\(number)", due: .at(number)),
                    skipIfBusy: number == 3)
            }
            #expect(try await store.fire(fires) == [.enqueued, .full, .full])
            _ = try await store.runOne()
            #expect(try await store.fire(Array(fires[1...])) == [.enqueued, .skippedBusy])
        }
    }

    @Test("after the clock was set back, what has fired stays fired, and the rest fires")
    func clockSetBack() async throws {
        try await withStore { (store, _) async throws in
            // As seen by a clock that was years ahead when this fired.
            let ahead = WallTime.now().advanced(by: .seconds(100_000_000))
            _ = try await store.register(timer: "f/timer/0", definition: "a", since: .at(0))
            #expect(try await fire(store, 1) == .enqueued)
            let future = NewInvocation.sample("future", due: ahead)
            func fireFuture() async throws -> FireResult {
                try await store.fire(timer: "f/timer/0", due: ahead, invocation: future, skipIfBusy: false)
            }
            #expect(try await fireFuture() == .enqueued)
            #expect(try await fire(store, 1) == .duplicate)
            #expect(try await fire(store, 2) == .enqueued)
            #expect(try await store.timers()["f/timer/0"]?.handled == .at(2))
            #expect(try await fireFuture() == .duplicate)
        }
    }
}
