import Events
import Manifests
import Storage
import Support
import Testing
import Workers

@testable import Engine

@Suite("The queue's dispatcher")
struct QueueDispatcherTests {
    @Test("what is due runs once, and is settled together with its effects")
    func settles() async throws {
        try await World.with(.contractWorker()) { world async throws in
            for number in 0..<20 { try await world.enqueue("\(number)") }
            try await world.dispatching {
                try await world.wait { try await world.store.queueCounts()["f"]?.done == 20 }
            }
            #expect(try await world.text("timers") == "20")
        }
    }

    @Test("what comes while the queue is read is looked for again")
    func asksAgain() {
        var load = QueueDispatcher.Load()
        let claims = [load.claim(now: .now), load.claim(now: .now)]
        #expect(claims == [.claimed, .taken])
        var goesOn = [load.leased(0), load.leased(0)]
        #expect(goesOn == [true, false])
        let next = load.claim(now: .now)
        #expect(next == .claimed)
        goesOn = [load.leased(3), load.leased(0)]
        #expect(goesOn == [true, false] && load.running == 3)
    }

    @Test("a function that is paused is left alone for as long")
    func pauses() {
        let now = ContinuousClock.now
        var load = QueueDispatcher.Load()
        load.notBefore = now + .seconds(2)
        let claims = [load.claim(now: now), load.claim(now: now + .seconds(2))]
        #expect(claims == [.paused(.seconds(2)), .claimed])
    }

    @Test("a failure that lasts uses up the attempts, then it is dead")
    func exhausted() async throws {
        try await World.with(.shell("exit 1") { $0.retry.attempts = 3 }) { world async throws in
            try await world.enqueue("1")
            try await world.dispatching {
                try await world.wait { try await world.record()?.state == .dead }
            }
            let record = try #require(try await world.record())
            #expect(record.attempt == 3 && record.outcome == .exhausted)
            #expect(world.function.statistics.outcomes["failed"] == 3)
        }
    }

    @Test("one that is cut short each time, as by the end of the host, is dead in the end")
    func cutShort() async throws {
        try await withTemporaryFolder { folder in
            for attempt in 1...4 {
                let store = try Store(directory: folder)
                if attempt == 1 {
                    let event = Event(id: "1", source: "/timers/t/0", type: "apus.timer.due", time: .now())
                    _ = try await store.enqueue([
                        NewInvocation(function: "f", kind: .timer, trigger: "f/timer/0", event: event, due: .now())
                    ])
                }
                // It ends in the middle of that.
                let leased = try await store.lease(function: "f", limit: 1, now: .now())
                #expect(leased.map(\.attempt) == [attempt])
                try store.close()
            }
            try await World.with(.contractWorker { $0.retry.attempts = 1 }, in: folder) { world async throws in
                try await world.dispatching {
                    try await world.wait { try await world.record()?.state == .dead }
                }
                #expect(try await world.record()?.outcome == .exhausted)
                #expect(world.function.statistics.outcomes == [:])
            }
        }
    }

    @Test("a permanent failure is dead at once, and leaves no effects")
    func permanent() async throws {
        try await World.with(.contractWorker { $0.environment["CONTRACT_FAIL"] = "1" }) { world async throws in
            try await world.enqueue("1")
            try await world.dispatching {
                try await world.wait { try await world.record()?.state == .dead }
            }
            #expect(try await world.record()?.outcome == .failed)
            #expect(try await world.text("timers") == nil)
        }
    }

    @Test("workers that do not start use up no attempts")
    func unstarted() async throws {
        let manifest = Manifest.contractWorker {
            $0.environment["CONTRACT_START"] = "crash"
            $0.retry.attempts = 1
        }
        try await World.with(manifest) { world async throws in
            try await world.enqueue("1")
            try await world.dispatching {
                try await world.wait { try await world.record()?.outcome == .rejected }
            }
            let record = try #require(try await world.record())
            #expect(record.state == .waiting && record.attempt == 0)
            #expect(record.reason != nil && record.due > record.enqueued)
        }
    }

    @Test("workers that do not start within retry.within make it dead")
    func unstartedForLong() async throws {
        let manifest = Manifest.contractWorker {
            $0.environment["CONTRACT_START"] = "crash"
            $0.retry.within = .zero
        }
        try await World.with(manifest) { world async throws in
            try await world.enqueue("1")
            try await world.dispatching {
                try await world.wait { try await world.record()?.state == .dead }
            }
            #expect(try await world.record()?.outcome == .exhausted)
        }
    }

    @Test("a dispatcher that is stopped takes nothing more from the queue")
    func stopped() async throws {
        try await World.with(.shell("true")) { world async throws in
            try await world.enqueue("1")
            let dispatcher = QueueDispatcher(engine: world.engine, lanes: World.lanes, drain: .seconds(30))
            dispatcher.stop()
            try await dispatcher.run()
            #expect(try await world.record()?.state == .waiting)
        }
    }

    @Test("a shutdown waits for what runs as long as the drain time, then gives it back")
    func drain() async throws {
        try await World.with(.shell("exec sleep 600")) { world async throws in
            try await world.enqueue("1")
            try await world.dispatching(drain: .milliseconds(100)) {
                #expect(await eventually { world.function.pool.snapshot.running == 1 })
            }
            let record = try #require(try await world.record())
            #expect(record.state == .waiting && record.attempt == 0)
            #expect(world.function.statistics.last.first?.reason == "the host is stopping")
        }
    }
}
