import Foundation
import Support
import Testing

/// The repository that holds this test.
let repository = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().path

@Suite("The examples behave as the README says")
struct ExampleTests {
    private static let names = [
        "hello", "guestbook", "tags", "inbox", "links", "load", "uptime", "wordcount", "weekday", "git",
    ]

    /// Runs `body` with a host that serves what `make run` serves, from a copy.
    private func withExamples(_ body: (ApusHost) async throws -> Void) async throws {
        var manifests: [String: String] = [:]
        for name in Self.names {
            manifests[name] = try String(contentsOfFile: "\(repository)/manifests/\(name).yaml", encoding: .utf8)
        }
        try await ApusHost.with(
            manifests,
            prepare: { folder in
                try FileManager.default.createDirectory(
                    atPath: folder + "/manifests/inbox", withIntermediateDirectories: true)
                try FileManager.default.copyItem(atPath: repository + "/Functions", toPath: folder + "/Functions")
                // The virtual environments that `make` sets up.
                try FileManager.default.createSymbolicLink(
                    atPath: folder + "/.build", withDestinationPath: repository + "/.build")
            }, body)
    }

    @Test("Hello greets")
    func hello() async throws {
        try await withExamples { host in
            let named = try host.get("/hello/Ada")
            #expect(named.text == "Hello, Ada!\n")
            #expect(try host.get("/hello").text == "Hello, world!\n")
        }
    }

    @Test("Guestbook takes entries, lists them and refuses what does not fit")
    func guestbook() async throws {
        try await withExamples { host in
            let signed = try host.post("/guestbook", #"{"name": "Ada", "message": "Hello!"}"#)
            #expect(signed.status == 201)
            let listed = try host.get("/guestbook?limit=1").text
            #expect(listed.contains(#""message":"Hello!""#) && listed.contains(#""total":1"#))
            let refused = try host.post("/guestbook", #"{"name": "Ada"}"#)
            #expect(refused.status == 400 && refused.text.contains("'message' is missing"))
            #expect(try host.post("/guestbook", String(repeating: " ", count: 20_000)).status == 413)
        }
    }

    @Test("Tags follows the guestbook, also what is deleted by hand")
    func tags() async throws {
        try await withExamples { host in
            let signed = try host.post("/guestbook", #"{"name": "Ada", "message": "Hello from #london!"}"#)
            #expect(signed.status == 201)
            let isIn = try await eventually { try host.get("/tags").text.contains(#"{"entries":1,"tag":"london"}"#) }
            #expect(isIn)
            let id = try #require(signed.headers["location"]?.split(separator: "/").last)
            #expect(try host.get("/tags/london").text.contains(id))
            let listed = try host.cli("state", "list", "guestbook", "--prefix", "entry/", "--json").output
            let key = try #require(listed.split(separator: "\"").first { $0.hasPrefix("entry/") })
            #expect(try host.cli("state", "delete", "guestbook", String(key)).status == 0)
            let isOut = try await eventually { try host.get("/tags").text.hasPrefix("[]") }
            #expect(isOut)
        }
    }

    @Test("Inbox sums up a file that appears, and forgets one that goes")
    func inbox() async throws {
        try await withExamples { host in
            let file = host.folder + "/manifests/inbox/shop.csv"
            try "item,amount\napple,1.10\npear,2.20\n".write(toFile: file, atomically: false, encoding: .utf8)
            let isIn = try await eventually { try host.get("/inbox").text.contains(#""sums":{"amount":3.3}"#) }
            #expect(isIn)
            #expect(try host.get("/inbox?column=amount").text == "3.3\n")
            try FileManager.default.removeItem(atPath: file)
            let isOut = try await eventually { try host.get("/inbox").text.contains(#""files":0"#) }
            #expect(isOut)
        }
    }

    @Test("Uptime shows what its timer found")
    func uptime() async throws {
        try await withExamples { host in
            let invoked = try host.cli("invoke", "uptime", "--trigger", "timer")
            #expect(invoked.status == 0, "\(invoked.error)")
            #expect(try host.get("/uptime").text.contains("http://127.0.0.1:8080/hello"))
        }
    }

    @Test("load streams the machine's load, and keeps a sample when its timer is due")
    func load() async throws {
        let minute = { Int(Date().timeIntervalSince1970) / 60 }
        let start = minute()
        try await withExamples { host in
            let page = try host.get("/load").text
            #expect(page.contains("EventSource"))
            let stream = try run(
                "/bin/sh", ["-c", "curl -sN http://127.0.0.1:\(host.port)/load/events | head -n 3"])
            #expect(stream.output.components(separatedBy: "data: {\"time\": ").count == 3)
            let history = try host.get("/load/history").text
            // Its timer is due by itself, too, at each full minute.
            #expect(history == "[]\n" || minute() > start)
            let invoked = try host.cli("invoke", "load", "--trigger", "timer")
            #expect(invoked.status == 0, "\(invoked.error)")
            let later = try host.get("/load/history").text
            #expect(later.contains("\"memory\":") && later != history)
        }
    }

    @Test("wordcount counts through a shell pipeline")
    func wordcount() async throws {
        try await withExamples { host in
            let counted = try host.post("/wordcount", "the cat the dog").text
            #expect(
                counted.split(separator: "\n").map { $0.trimmingCharacters(in: .whitespaces) } == [
                    "2 the", "1 cat", "1 dog",
                ])
        }
    }

    @Test("links, in Python, shortens, counts who follows, and refuses what is no URL")
    func links() async throws {
        try await withExamples { host in
            let made = try host.post("/links", "https://example.org/a?b=c")
            #expect(made.status == 201, "\(made.text)")
            let path = made.text.trimmingCharacters(in: .newlines)
            let followed = try host.get(path)
            #expect(followed.status == 302)
            #expect(followed.headers["location"] == "https://example.org/a?b=c")
            #expect(try host.get(path).status == 302)
            let listed = try host.get("/links").text
            let key = path.dropFirst("/links/".count)
            #expect(listed == #"{"\#(key)":{"url":"https://example.org/a?b=c","visits":2}}"#)
            #expect(try host.get("/links/nothing").status == 404)
            #expect(try host.post("/links", "not a URL").status == 400)
        }
    }

    @Test("weekday, an AWS Lambda handler, tells weekdays and refuses what is no date")
    func weekday() async throws {
        try await withExamples { host in
            let told = try host.get("/weekday/2026-12-24")
            #expect(told.text == #"{"date": "2026-12-24", "weekday": "Thursday"}"#)
            #expect(told.headers["content-type"] == "application/json")
            let refused = try host.get("/weekday/tomorrow")
            #expect(refused.status == 400)
            #expect(refused.text == "'tomorrow' is no date; write it as 2026-12-24\n")
            #expect(try host.cli("invoke", "weekday", "--trigger", "timer").status == 0)
            let isPrinted = try await eventually { try host.cli("logs", "weekday").output.contains("It is ") }
            #expect(isPrinted)
        }
    }

    @Test("the command line shows, calls, reads and writes what a host has")
    func commandLine() async throws {
        try await withExamples { host in
            let invoked = try host.cli("invoke", "hello", "--path", "/hello/Grace")
            #expect(invoked.output.hasSuffix("Hello, Grace!\n"))
            #expect(try host.cli("list").output.contains("wordcount"))
            #expect(try host.cli("show", "hello").output.contains("succeeded"))
            #expect(try host.cli("show", "helo").status == 66)
            #expect(try host.cli("state", "put", "hello", "greeting", "hi").status == 0)
            #expect(try host.cli("state", "get", "hello", "greeting").output == "hi")
            #expect(try host.cli("state", "list", "hello").output.contains("greeting"))
            #expect(try host.cli("state", "delete", "hello", "greeting").status == 0)
            #expect(try host.cli("state", "get", "hello", "greeting").status == 66)
            #expect(try host.cli("logs").output.contains("serves \(Self.names.count) functions"))
        }
    }

    @Test("completions are made for each shell", arguments: ["bash", "zsh", "fish"])
    func completions(shell: String) throws {
        let result = try run(ApusHost.build + "/apus", ["--generate-completion-script", shell])
        #expect(result.status == 0)
        #expect(result.output.contains("serve") && result.output.contains("timers"))
    }

    @Test(
        "a function that apus new writes works at once", arguments: ["http", "timer", "file", "topic", "state"],
        ["shell stdio", "shell cgi", "python apus", "python http"])
    func new(trigger: String, kind: String) async throws {
        let words = kind.split(separator: " ").map(String.init)
        try await ApusHost.with([:]) { host in
            let made = try run(
                ApusHost.build + "/apus",
                ["new", "greeter", "--trigger", trigger, "--language", words[0], "--contract", words[1]],
                directory: host.folder)
            #expect(made.status == 0, "\(made.error)")
            #expect(host.terminate() == 0)
            try await host.start()
            let options = [
                "file": ["--subject", "june.csv"], "topic": ["--data", "x"],
                "state": ["--subject", "entry/1", "--data", "x"],
            ]
            let invoked = try host.cli(["invoke", "greeter", "--trigger", trigger] + (options[trigger] ?? []))
            #expect(invoked.status == 0, "\(invoked.output) \(invoked.error)")
        }
    }
}
