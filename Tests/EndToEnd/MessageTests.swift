import Foundation
import Support
import Testing

@Suite("Functions send messages")
struct MessageTests {
    private static let contract = "handler: { command: [\(ApusHost.build)/ContractWorker], contract: apus }"

    /// Sends with curl what the request's body says.
    private static let sender = """
        name: sender
        handler:
          contract: stdio
          command:
            - sh
            - -ec
            - |
              send() { curl -sS --fail-with-body -X POST -H "Authorization: Bearer $APUS_TOKEN" "$@"; }
              eval "$(cat)"
        triggers: [{ http: { path: "/sender" } }]
        """

    /// Adds the event that it gets, as one line of JSON, to a file of its own.
    private static func recorder(_ name: String, _ triggers: String, in folder: String) -> String {
        """
        name: \(name)
        handler: { command: [sh, -c, 'cat >> \(folder)/\(name)'], contract: stdio }
        triggers: [\(triggers)]
        workers: { max: 1 }
        sandbox: { write: [\(folder)] }
        """
    }

    private static func events(_ name: String, in folder: String) throws -> [[String: Any]] {
        guard let text = try? String(contentsOfFile: "\(folder)/\(name)", encoding: .utf8) else { return [] }
        return try text.split(separator: "\n").map {
            try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any] ?? [:]
        }
    }

    @Test("a shell function sends to a topic and to a function; each that listens gets it once")
    func shell() async throws {
        try await withTemporaryFolder { folder in
            let manifests = [
                "sender": Self.sender,
                "mailer": Self.recorder("mailer", "{ topic: order.placed }", in: folder),
                "audit": Self.recorder("audit", "{ topic: order.placed }, { topic: order.gone }", in: folder),
            ]
            try await ApusHost.with(manifests) { host in
                let answer = try host.post(
                    "/sender",
                    """
                    send --json '{"id":1}' -H 'ce-subject: caf%C3%A9' $APUS_API/send/order.placed
                    send -d 'to you' -H 'Content-Type: text/plain' $APUS_API/send/mailer
                    """)
                #expect(answer.status == 200 && answer.text == "")
                let invocation = try #require(answer.headers["apus-invocation"])
                let isThere = try await eventually {
                    try Self.events("mailer", in: folder).count == 2 && Self.events("audit", in: folder).count == 1
                }
                #expect(isThere)
                let event = try #require(try Self.events("audit", in: folder).first)
                #expect(event["type"] as? String == "order.placed")
                #expect(event["source"] as? String == "/functions/sender")
                #expect(event["subject"] as? String == "café")
                #expect(event["id"] as? String == "\(invocation)-1")
                #expect(event["datacontenttype"] as? String == "application/json")
                #expect(event["data"] as? [String: Int] == ["id": 1])
                let direct = try Self.events("mailer", in: folder).first { $0["type"] as? String == "mailer" }
                #expect(direct?["data"] as? String == "to you")
                let isDone = try await eventually { try host.function("mailer").queue.done == 2 }
                #expect(isDone)
            }
        }
    }

    @Test("a filter lets only some of a topic's messages through, and what nobody wants is no error")
    func filtered() async throws {
        try await withTemporaryFolder { folder in
            let eu =
                "{ topic: { name: order.placed, filter: { exact: { region: eu }, not: { suffix: { subject: x } } } } }"
            let manifests = [
                "sender": Self.sender, "eu": Self.recorder("eu", eu, in: folder),
                "all": Self.recorder("all", "{ topic: order.placed }", in: folder),
            ]
            try await ApusHost.with(manifests) { host in
                let answer = try host.post(
                    "/sender",
                    """
                    for region in eu us; do
                        for subject in 1 1x; do
                            send -d $region -H "ce-region: $region" -H "ce-subject: $subject" $APUS_API/send/order.placed
                        done
                    done
                    send -d none $APUS_API/send/order.placed
                    """)
                #expect(answer.status == 200, "\(answer.text)")
                let isDone = try await eventually { try host.function("all").queue.done == 5 }
                #expect(isDone)
                // The queue of one invocation has them all, so that nothing comes later.
                let isOne = try await eventually { try host.function("eu").queue.done == 1 }
                let queue = try host.function("eu").queue
                #expect(isOne && queue.waiting == 0 && queue.running == 0)
                let event = try #require(try Self.events("eu", in: folder).first)
                #expect(event["region"] as? String == "eu" && event["subject"] as? String == "1")
                #expect(
                    try host.cli("show", "eu").output.contains("topic order.placed with region=eu and not subject=*x"))
            }
        }
    }

    @Test("a message of an invocation that fails is not delivered; one that nobody gets is refused at once")
    func failing() async throws {
        try await withTemporaryFolder { folder in
            let manifests = [
                "sender": Self.sender, "mailer": Self.recorder("mailer", "{ topic: a }", in: folder),
            ]
            try await ApusHost.with(manifests) { host in
                let lost = try host.post("/sender", "send -d lost $APUS_API/send/a; exit 1")
                #expect(lost.status == 500)
                let nobody = try host.post(
                    "/sender", "send -o /dev/stdout -w '%{http_code}' -d x $APUS_API/send/nobody || true")
                #expect(nobody.text.contains("urn:apus:problem:no-target"))
                #expect(nobody.text.hasSuffix("404"))
                let structured = try host.post(
                    "/sender",
                    "send -w '%{http_code}' -H 'Content-Type: application/cloudevents+json' -d '{}' $APUS_API/send/a || true"
                )
                #expect(structured.text.hasSuffix("415"))
                // What was sent is in the queue before the answer is there, so nothing comes later.
                #expect(try host.post("/sender", "send -d kept $APUS_API/send/a").status == 200)
                let isDone = try await eventually { try host.function("mailer").queue.done == 1 }
                #expect(isDone)
                #expect(try Self.events("mailer", in: folder).count == 1)
            }
        }
    }

    @Test("a delayed message waits in the queue until it is due")
    func delayed() async throws {
        try await withTemporaryFolder { folder in
            let manifests = [
                "sender": Self.sender, "mailer": Self.recorder("mailer", "{ topic: a }", in: folder),
            ]
            try await ApusHost.with(manifests) { host in
                let start = ContinuousClock.now
                let answer = try host.post(
                    "/sender",
                    """
                    send -d later "$APUS_API/send/a?after=1h"
                    send -d soon "$APUS_API/send/a?after=700ms"
                    """)
                #expect(answer.status == 200)
                let isDone = try await eventually { try host.function("mailer").queue.done == 1 }
                #expect(isDone)
                #expect(ContinuousClock.now - start >= .milliseconds(700))
                #expect(try host.function("mailer").queue.waiting == 1)
            }
        }
    }

    @Test("a Swift function receives what it sends; a loop ends as a dead letter after sixteen")
    func loop() async throws {
        let manifest = """
            name: echo
            \(Self.contract)
            triggers: [{ http: { path: "/{rest*}" } }, { topic: ping }]
            """
        try await ApusHost.with(["echo": manifest]) { host in
            #expect(try host.post("/send?to=ping&text=echo").status == 200)
            let isDead = try await eventually { try host.function("echo").queue.dead == 1 }
            #expect(isDead)
            let queue = try host.function("echo").queue
            #expect(queue.done == 15 && queue.waiting == 0 && queue.running == 0)
            #expect(try host.cli("state", "get", "echo", "messages").output == "15")
            #expect(try host.post("/send?to=nobody").status == 500)
            #expect(try host.post("/send-and-fail?to=ping").status == 500)
            let after = try host.function("echo").queue
            #expect(after.done + after.dead == 16 && after.waiting == 0)
        }
    }

    @Test("a host that is killed delivers every message whose sender was answered, and its state says how many")
    func hostKilled() async throws {
        let manifest = """
            name: echo
            \(Self.contract)
            triggers: [{ http: { path: "/{rest*}" } }, { topic: ping }]
            workers: { concurrency: 8 }
            """
        try await ApusHost.with(["echo": manifest]) { host in
            let port = host.port
            async let answered = onThreads(8) { _ in
                // The host dies under it: what was answered until then counts.
                var succeeded = 0
                guard let connection = try? HTTPConnection(port: port) else { return 0 }
                for _ in 0..<1000 {
                    guard let response = try? connection.request("POST", "/send?to=ping") else { break }
                    if response.status == 200 { succeeded += 1 }
                }
                return succeeded
            }
            let isUnderway = try await eventually { try host.function("echo").queue.done >= 50 }
            #expect(isUnderway)
            host.kill()
            let succeeded = try await answered.reduce(0, +)
            try await host.start()
            let isQuiet = try await eventually {
                let queue = try host.function("echo").queue
                return queue.waiting == 0 && queue.running == 0
            }
            #expect(isQuiet)
            let queue = try host.function("echo").queue
            let sent = Int(try host.cli("state", "get", "echo", "sent").output) ?? 0
            let received = Int(try host.cli("state", "get", "echo", "messages").output) ?? 0
            #expect(queue.dead == 0)
            #expect(sent >= succeeded)
            // As one with the state, and applied once each.
            #expect(received == sent && queue.done == sent)
        }
    }
}
