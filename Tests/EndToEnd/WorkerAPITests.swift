import Foundation
import Support
import Testing

@Suite("Programs use state through the worker API")
struct WorkerAPITests {
    /// A shell function that runs what the request's body says; `api` is curl with the process's token.
    private static func shell(
        _ name: String, max: Int = 4, more: String = "", setup: String = ""
    ) -> String {
        """
        name: \(name)
        handler:
          contract: stdio
          command:
            - sh
            - -ec
            - |
              api() { curl -sS --fail-with-body -H "Authorization: Bearer $APUS_TOKEN" "$@"; }
              \(setup)
              eval "$(cat)"
        triggers: [{ http: { path: "/\(name)" } }]
        workers: { max: \(max) }
        limits: { wait: 60s, time: 60s }
        \(more)
        """
    }

    private static func state(_ host: ApusHost, _ key: String, of namespace: String = "f") throws -> String {
        try host.cli("state", "get", namespace, key).output
    }

    @Test(
        "a shell function reads, writes, lists, counts and deletes, and sees its own writes, whatever its network is",
        arguments: ["none", "loopback", "full"])
    func operations(_ network: String) async throws {
        try await ApusHost.with(["f": Self.shell("f", more: "sandbox: { network: \(network) }")]) { host in
            let answer = try host.post(
                "/f",
                """
                test "$(api -o /dev/null -w '%{http_code}' $APUS_API/state/a/b || true)" = 404
                printf 'x y' | api -T - $APUS_API/state/a/b
                printf '\\377' | api -T - $APUS_API/state/a%2Fc
                api -X POST "$APUS_API/increment/a/n?by=41"; echo
                api -X POST $APUS_API/increment/a/n; echo
                api $APUS_API/state/a/b; echo
                api "$APUS_API/state?prefix=a/&limit=2"
                api "$APUS_API/state?prefix=a/&after=a/c"
                api -X DELETE $APUS_API/state/a/b
                api $APUS_API/state
                """)
            #expect(
                answer.text == """
                    41
                    42
                    x y
                    {"entries":[{"key":"a/b","value":{"text":"x y"}},{"key":"a/c","value":{"base64":"/w=="}}],"next":"a/c"}
                    {"entries":[{"key":"a/n","value":{"text":"42"}}]}
                    {"entries":[{"key":"a/c","value":{"base64":"/w=="}},{"key":"a/n","value":{"text":"42"}}]}

                    """)
            #expect(try Self.state(host, "a/n") == "42")
            #expect(try host.cli("state", "get", "f", "a/b").status != 0)
        }
    }

    @Test("a failing invocation leaves nothing but what it committed immediately")
    func rollback() async throws {
        try await ApusHost.with(["f": Self.shell("f")]) { host in
            let answer = try host.post(
                "/f",
                """
                api -X POST $APUS_API/increment/visits
                api -X PUT -d 1 $APUS_API/state/kept?immediately
                api -X PUT -d 1 $APUS_API/state/lost
                exit 1
                """)
            #expect(answer.status == 500)
            #expect(try host.cli("state", "list", "f", "--json").output.contains("lost") == false)
            #expect(try host.cli("state", "get", "f", "visits").status != 0)
            #expect(try Self.state(host, "kept") == "1")
        }
    }

    @Test("500 invocations, eight at a time, that add one leave 500")
    func increments() async throws {
        let fixed = Self.shell("f", max: 8)
        try await ApusHost.with(["f": fixed]) { host in
            let port = host.port
            let answers = try await onThreads(10) { _ in
                let connection = try HTTPConnection(port: port)
                return try (0..<50).map { _ in
                    try connection.request(
                        "POST", "/f", body: Array("api -X POST $APUS_API/increment/n".utf8))
                }
            }.flatMap { $0 }
            #expect(answers.allSatisfy { $0.status == 200 })
            #expect(try Self.state(host, "n") == "500")
        }
    }

    @Test("requests of one invocation at the same time are done one after the other, and all before the answer")
    func parallelRequests() async throws {
        try await ApusHost.with(["f": Self.shell("f")]) { host in
            let answer = try host.post(
                "/f",
                """
                for i in $(seq 20); do api -X POST $APUS_API/increment/n & done > /dev/null
                wait
                api $APUS_API/state/n
                """)
            #expect(answer.text == "20")
        }
    }

    @Test("a read that others change meanwhile runs the program again, on fresh values")
    func conflict() async throws {
        try await ApusHost.with(["f": Self.shell("f")]) { host in
            let port = host.port
            let statuses = try await onThreads(4) { _ in
                let connection = try HTTPConnection(port: port)
                return try (0..<10).map { _ in
                    let script = """
                        n=$(api $APUS_API/state/n || echo 0)
                        case $n in *[!0-9]*) n=0;; esac
                        api -X PUT -d $((n + 1)) $APUS_API/state/n
                        """
                    return try connection.request("POST", "/f", body: Array(script.utf8)).status
                }
            }.flatMap { $0 }
            let succeeded = statuses.count { $0 == 200 }
            #expect(succeeded > 0)
            #expect(statuses.allSatisfy { $0 == 200 || $0 == 409 })
            #expect(try Self.state(host, "n") == "\(succeeded)")
        }
    }

    @Test("a token reaches only its own worker's invocations, and dies with its process")
    func tokens() async throws {
        // The process puts its token where the test finds it.
        let manifests = ["f": Self.shell("f", more: "sandbox: { write: [../out] }"), "g": Self.shell("g")]
        try await ApusHost.with(manifests) {
            try FileManager.default.createDirectory(atPath: $0 + "/out", withIntermediateDirectories: true)
        } _: { host in
            let held = host.folder + "/out/held"
            let port = host.port
            let script = """
                echo $APUS_API $APUS_TOKEN $APUS_INVOCATION > \(held).new; mv \(held).new \(held)
                while test -e \(held); do sleep 0.05; done
                """
            async let first = onThreads(1) { _ in
                try HTTPConnection(port: port).request("POST", "/f", body: Array(script.utf8))
            }
            let isHeld = await eventually { FileManager.default.fileExists(atPath: held) }
            #expect(isHeld)
            let words = try String(contentsOfFile: held, encoding: .utf8).split(whereSeparator: \.isWhitespace)
            let (address, token, invocation) = (words[0], words[1], words[2])
            let code = "-s -o /dev/null -w '%{http_code} '"
            // Another worker's token, with the invocation of the first.
            let other = try host.post(
                "/g",
                """
                curl \(code) -X PUT -d 1 -H "Authorization: Bearer $APUS_TOKEN" -H "Apus-Invocation: \(invocation)" \
                    $APUS_API/state/stolen
                curl \(code) $APUS_API/state
                curl \(code) -H "Authorization: Bearer ${APUS_TOKEN}0" $APUS_API/state
                curl \(code) -H "Authorization: Bearer 1.$(printf '0%.0s' $(seq 64))" $APUS_API/state
                curl \(code) -H "Authorization: Bearer $APUS_TOKEN" -H "Apus-Invocation: x" $APUS_API/state
                curl \(code) -H "Authorization: bearer $APUS_TOKEN" $APUS_API/state
                """)
            #expect(other.text == "410 401 401 401 400 200 ")
            func ask() throws -> String {
                try run(
                    "/usr/bin/curl",
                    ["-s", "-H", "Authorization: Bearer \(token)", "-w", " %{http_code}", "\(address)/state"]
                ).output
            }
            #expect(try ask().hasSuffix(" 200"))
            try FileManager.default.removeItem(atPath: held)
            #expect(try await first.first?.status == 200)
            let late = try ask()
            #expect(late.hasSuffix(" 401"))
            #expect(late.contains("urn:apus:problem:unauthorized"))
        }
    }

    @Test("limits and mistakes are answered in words")
    func mistakes() async throws {
        try await ApusHost.with(["f": Self.shell("f")]) { host in
            let answer = try host.post(
                "/f",
                """
                try() { curl -s -o out -w '%{http_code} ' -H "Authorization: Bearer $APUS_TOKEN" "$@"; jq -r .detail out; }
                cd $TMPDIR
                head -c 1048577 /dev/zero > large
                head -c 1048576 /dev/zero > fits
                curl -s -w '%{http_code}\\n' -T fits -H "Authorization: Bearer $APUS_TOKEN" $APUS_API/state/k
                try -T large $APUS_API/state/k
                try -X POST $APUS_API/increment/k
                try -X POST "$APUS_API/increment/n?by=x"
                try -X POST $APUS_API/state/k
                try $APUS_API/state/%FF
                try $APUS_API/state/
                try "$APUS_API/state/k?imediately"
                try $APUS_API/nothing
                """)
            #expect(
                answer.text == """
                    204
                    413 a value has at most 1048576 bytes
                    409 the value is not a decimal number, so it cannot be incremented
                    400 'by' is not a whole number: 'x'
                    405 POST is not one of: GET, PUT, DELETE
                    400 what follows /state/ is not percent-encoded UTF-8
                    422 a key of 0 bytes; it must have 1 to 1024
                    400 unknown query parameter 'imediately'; /openapi.json lists what there is
                    404 there is nothing at /nothing; /openapi.json lists what there is

                    """)
        }
    }

    @Test("a client that waits to be asked for its body is asked at once, or refused")
    func expectation() async throws {
        try await ApusHost.with(["f": Self.shell("f")]) { host in
            // curl waits for a minute before it goes on unasked.
            let answer = try host.post(
                "/f",
                """
                echo piped | api --expect100-timeout 60 -T - $APUS_API/state/k
                api $APUS_API/state/k
                echo piped | curl -s --expect100-timeout 60 -T - -o /dev/null -w '%{http_code}' $APUS_API/state/k
                """)
            #expect(answer.text == "piped\n401")
        }
    }

    @Test("the API describes itself, in JSON that is whole")
    func description() async throws {
        try await ApusHost.with(["f": Self.shell("f")]) { host in
            let answer = try host.post("/f", "curl -s $APUS_API/openapi.json")
            let document = try JSONSerialization.jsonObject(with: Data(answer.body)) as? [String: Any]
            let paths = try #require(document?["paths"] as? [String: Any])
            #expect(
                paths.keys.sorted() == [
                    "/increment/{key}", "/openapi.json", "/send/{target}", "/state", "/state/{key}",
                ])
        }
    }

    // MARK: Other contracts

    /// A server that uses the API for each request, on a thread of its own.
    private static let server = """
        import http.server, os, urllib.request

        def api(method, path, invocation, data=None):
            headers = {"Authorization": "Bearer " + os.environ["APUS_TOKEN"]}
            if invocation: headers["Apus-Invocation"] = invocation
            request = urllib.request.Request(os.environ["APUS_API"] + path, data, headers, method=method)
            try:
                with urllib.request.urlopen(request) as answer: return answer.status, answer.read()
            except urllib.error.HTTPError as error: return error.code, error.read()

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            last = None
            def log_message(self, *arguments): pass
            def do_POST(self):
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                invocation = self.headers["Apus-Invocation"]
                answer, status = b"", 200
                if self.path == "/add":
                    answer = api("POST", "/increment/n", invocation)[1]
                    status, _ = api("PUT", "/state/by/" + invocation, invocation, b"1")
                    status = 200 if status == 204 else 500
                if self.path == "/error":
                    api("POST", "/increment/n", invocation)
                    answer, status = b"no", 503
                if self.path == "/fail":
                    api("POST", "/increment/n", invocation)
                    self.close_connection = True
                    self.connection.shutdown(2)
                    return
                if self.path == "/unnamed": answer = b"%d" % api("GET", "/state/n", None)[0]
                if self.path == "/access": answer = " ".join(map(os.environ.get, ("APUS_API", "APUS_TOKEN"))).encode()
                if self.path == "/late": answer = b"%d" % api("PUT", "/state/late", Handler.last, b"1")[0]
                Handler.last = invocation
                self.send_response(status)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

        http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()

        """

    @Test("a server acts for each of its requests by the id that came with it, for many at once")
    func servers() async throws {
        let manifest = """
            name: f
            handler: { command: [python3, server.py], contract: http, directory: .. }
            triggers: [{ http: { path: "/{rest*}" } }]
            workers: { max: 2, concurrency: 8 }
            limits: { wait: 60s, time: 60s }
            """
        try await ApusHost.with(["f": manifest]) {
            try Self.server.write(toFile: $0 + "/server.py", atomically: true, encoding: .utf8)
        } _: { host async throws in
            let port = host.port
            let answers = try await onThreads(8) { _ in
                let connection = try HTTPConnection(port: port)
                return try (0..<25).map { _ in try connection.request("POST", "/add").status }
            }.flatMap { $0 }
            #expect(answers.allSatisfy { $0 == 200 })
            #expect(try Self.state(host, "n") == "200")
            #expect(try host.post("/fail").status == 502)
            #expect(try Self.state(host, "n") == "200")
            #expect(try host.post("/error").status == 503)
            #expect(try Self.state(host, "n") == "200")
            #expect(try host.post("/unnamed").text == "400")
            // The one before is over, whichever worker had it.
            #expect(try host.post("/late").text == "410")
            #expect(try host.cli("state", "list", "f", "--limit", "1000", "--json").output.contains("late") == false)
        }
    }

    @Test("a server that serves one request need not name its invocation")
    func freshServers() async throws {
        let manifest = """
            name: f
            handler: { command: [python3, server.py], contract: http, directory: .. }
            triggers: [{ http: { path: "/{rest*}" } }]
            workers: { max: 2, instance: fresh }
            limits: { wait: 60s, time: 60s }
            """
        try await ApusHost.with(["f": manifest]) {
            try Self.server.write(toFile: $0 + "/server.py", atomically: true, encoding: .utf8)
        } _: { host async throws in
            #expect(try host.post("/unnamed").text == "404")
            #expect(try host.post("/add").text == "1")
            #expect(try host.post("/add").text == "2")
            #expect(try host.post("/unnamed").text == "200")
        }
    }

    @Test("the token of a server ends with it, however that ends")
    func killedServer() async throws {
        let manifest = """
            name: f
            handler: { command: [python3, server.py], contract: http, directory: .. }
            triggers: [{ http: { path: "/{rest*}" } }]
            workers: { max: 1, concurrency: 8 }
            limits: { wait: 60s, time: 60s }
            """
        try await ApusHost.with(["f": manifest]) {
            try Self.server.write(toFile: $0 + "/server.py", atomically: true, encoding: .utf8)
        } _: { host async throws in
            let words = try host.post("/access").text.split(separator: " ")
            let (address, token) = (words[0], words[1])
            func ask() throws -> String {
                let arguments = ["-s", "-o", "/dev/null", "-w", "%{http_code}", "-H", "Authorization: Bearer \(token)"]
                return try run("/usr/bin/curl", arguments + ["\(address)/state"]).output
            }
            // Its token is right, and its invocation is over.
            #expect(try ask() == "400")
            let worker = try #require(try host.function("f").pool.workers.first)
            kill(worker.pid, SIGKILL)
            #expect(await eventually { (try? ask()) == "401" })
            #expect(try host.post("/add").text == "1")
            #expect(try ask() == "401")
        }
    }

    /// A runtime of AWS Lambda that uses the API.
    private static let runtime = """
        import json, os, urllib.request

        RUNTIME = "http://" + os.environ["AWS_LAMBDA_RUNTIME_API"] + "/2018-06-01/runtime/invocation/"

        def send(address, data=b"", headers={}):
            with urllib.request.urlopen(urllib.request.Request(address, data, headers, method="POST")) as answer:
                return answer.read()

        while True:
            with urllib.request.urlopen(RUNTIME + "next") as answer:
                event, id = json.load(answer), answer.headers["Lambda-Runtime-Aws-Request-Id"]
            access = {"Authorization": "Bearer " + os.environ["APUS_TOKEN"], "Apus-Invocation": id}
            count = send(os.environ["APUS_API"] + "/increment/n", headers=access)
            if event["rawPath"] == "/fail":
                send(RUNTIME + id + "/error", b'{"errorMessage": "told to fail", "errorType": "Failure"}')
            else:
                send(RUNTIME + id + "/response", count)

        """

    @Test("a Lambda runtime acts for an invocation by its request id", arguments: ["reuse", "fresh"])
    func runtimes(instance: String) async throws {
        let manifest = """
            name: f
            handler: { command: [python3, runtime.py], contract: lambda, directory: .. }
            triggers: [{ http: { path: "/{rest*}" } }]
            workers: { max: 2, instance: \(instance) }
            limits: { wait: 60s, time: 60s }
            """
        try await ApusHost.with(["f": manifest]) {
            try Self.runtime.write(toFile: $0 + "/runtime.py", atomically: true, encoding: .utf8)
        } _: { host async throws in
            #expect(try host.post("/add").text == "1")
            #expect(try host.post("/fail").status == 502)
            #expect(try Self.state(host, "n") == "1", "what failed has left something")
            #expect(try host.post("/add").text == "2")
            #expect(try Self.state(host, "n") == "2")
        }
    }

    @Test("a CGI script uses the API as a filter does")
    func scripts() async throws {
        let script = """
            #!/bin/sh
            n=$(curl -sS --fail-with-body -X POST -H "Authorization: Bearer $APUS_TOKEN" "$APUS_API/increment/n")
            printf 'Content-Type: text/plain\\r\\n\\r\\n%s' "$n"
            """
        let manifest = """
            name: f
            handler: { command: [sh, script.sh], contract: cgi, directory: .. }
            triggers: [{ http: { path: "/f" } }]
            """
        try await ApusHost.with(["f": manifest]) {
            try script.write(toFile: $0 + "/script.sh", atomically: true, encoding: .utf8)
        } _: { host async throws in
            #expect(try host.get("/f").text == "1")
            #expect(try host.get("/f").text == "2")
            #expect(try Self.state(host, "n") == "2")
        }
    }
}
