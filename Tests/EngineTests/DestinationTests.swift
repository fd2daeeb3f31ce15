import Events
import Manifests
import Storage
import Support
import Testing
import Workers

@testable import Engine

@Suite("Destinations")
struct DestinationTests {
    private func leased(depth: Int? = nil, data: [UInt8] = Array("{}".utf8)) -> LeasedInvocation {
        let event = Event(
            id: "e", source: "/s", type: "order", time: WallTime(milliseconds: 0),
            extensions: depth.map { ["apusdepth": "\($0)"] } ?? [:], data: data)
        let new = NewInvocation(
            function: "f", kind: .topic, trigger: "f/topic/0", event: event, due: WallTime(milliseconds: 0))
        return LeasedInvocation(
            lease: Lease(invocation: new.id, epoch: 1), invocation: new, attempt: 2, since: WallTime(milliseconds: 0))
    }

    private func notice(_ leased: LeasedInvocation, _ settlement: Settlement) throws -> NewInvocation? {
        let receiver = Subscriptions.Receiver(function: "audit", trigger: "audit/send")
        let listeners = Subscriptions.Listeners([Subscriptions.Listeners.Listener(receiver)])
        return OutcomeNotice(of: leased, ended: settlement)
            .invocations(to: "audit", listeners: listeners, now: WallTime(milliseconds: 9))?.first
    }

    @Test("a success is told with the event and the result, one step deeper in the chain")
    func success() throws {
        let leased = leased(depth: 3)
        let result = InvocationResult(status: 201, headers: [HeaderField("A", "b")], body: Array("ok".utf8))
        let notice = try #require(try notice(leased, .done(result: result)))
        #expect(notice.function == "audit" && notice.trigger == "audit/send" && !notice.mayRepeat)
        #expect(notice.event.type == "apus.invocation.succeeded" && notice.event.source == "/functions/f")
        #expect(notice.event.subject == leased.lease.invocation.description)
        #expect(notice.event.extensions == ["apusdepth": "4", "apustarget": "audit"])
        let json = String(decoding: notice.event.data, as: UTF8.self)
        for part in [
            #""attempts":2"#, #""outcome":"succeeded""#, #""id":"e""#, #""data":"{}""#,
            #""result":{"status":201,"headers":[{"name":"A","value":"b"}],"body":"ok"}"#,
        ] { #expect(json.contains(part), "\(part) in \(json)") }
    }

    @Test("a failure is told with its reason; what is large or no text is told apart")
    func failure() throws {
        let dead = Settlement.dead(outcome: .exhausted, reason: "attempt 2 of 2: \"no\"")
        let small = try #require(try notice(leased(data: [0xFF]), dead))
        let json = String(decoding: small.event.data, as: UTF8.self)
        #expect(small.event.type == "apus.invocation.failed" && json.contains(#""data_base64":"/w==""#))
        #expect(json.contains(#""reason":"attempt 2 of 2: \"no\"""#) && json.contains(#""outcome":"exhausted""#))
        let large = try #require(try notice(leased(data: [UInt8](repeating: 65, count: 300 << 10)), dead))
        #expect(String(decoding: large.event.data, as: UTF8.self).contains(#""dataIsLeftOut":true"#))
    }

    @Test("a chain of messages ends here, too, and what is not over is not told")
    func ends() throws {
        #expect(try notice(leased(depth: 16), .done) == nil)
        var destinations = Destinations()
        (destinations.success, destinations.failure) = ("a", "b")
        let retry = Settlement.retry(at: .now(), outcome: .failed, reason: "")
        let targets = [Settlement.done, .dead(outcome: .failed, reason: ""), retry].map {
            OutcomeNotice(of: leased(), ended: $0).target(in: destinations)
        }
        #expect(targets == ["a", "b", nil])
    }

    @Test("it goes into the queue in the transaction that ends the invocation")
    func committed() async throws {
        let manifest = Manifest.shell("exit 1") {
            $0.retry.attempts = 1
            $0.destinations.failure = "f"
        }
        try await World.with(manifest) { world async throws in
            try await world.enqueue("1")
            try await world.dispatching { () async throws in
                // Each notice fails too, until the chain is too long.
                try await world.wait { try await world.store.queueCounts()["f"]?.dead == 17 }
            }
            let dead = try await world.store.dead(DeadFilter(), limit: 99)
            #expect(dead.filter { $0.type == "apus.invocation.failed" }.count == 16)
            #expect(try await world.store.queueCounts()["f"]?.enqueued == 17)
        }
    }
}
