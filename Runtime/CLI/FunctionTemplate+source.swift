import Manifests

/// What a new function does.
extension FunctionTemplate {
    var source: String {
        switch (language, trigger) {
        case (.swift, .http): swift(adopting: "HTTPFunction", body: Self.swiftHTTP)
        case (.swift, .timer): swift(adopting: "TimerFunction", body: Self.swiftTimer)
        case (.swift, .file): swift(adopting: "FileFunction", body: Self.swiftFile)
        case (.swift, .topic): swift(adopting: "MessageFunction", body: Self.swiftTopic)
        case (.swift, .state): swift(adopting: "StateFunction", body: Self.swiftState)
        case (.shell, .http): contract == .cgi ? Self.cgiHTTP : Self.shellHTTP
        case (.shell, .timer): contract == .cgi ? Self.cgiTimer : Self.shellTimer
        case (.shell, .file): contract == .cgi ? Self.cgiFile : Self.shellFile
        case (.shell, .topic), (.shell, .state): contract == .cgi ? Self.cgiEvent : Self.shellEvent
        case (.python, .http): contract == .http ? Self.server(answering: Self.serverHTTP) : Self.pythonHTTP
        case (.python, .timer): contract == .http ? Self.server(answering: Self.serverTimer) : Self.pythonTimer
        case (.python, .file): contract == .http ? Self.server(answering: Self.serverFile) : Self.pythonFile
        case (.python, .topic): contract == .http ? Self.server(answering: Self.serverEvent) : Self.pythonTopic
        case (.python, .state): contract == .http ? Self.server(answering: Self.serverEvent) : Self.pythonState
        }
    }

    private func swift(adopting kind: String, body: String) -> String {
        """
        import Apus

        @main
        struct \(product): \(kind) {
        \(body)
        }

        """
    }

    private static let swiftHTTP = """
            func respond(to request: HTTPRequest, in context: Context) async throws -> HTTPResponse {
                let calls = try await context.state.increment("calls")
                return .text("Hello, \\(request.parameters["name"] ?? "world")! This is call \\(calls).\\n")
            }
        """

    private static let swiftTimer = """
            func run(_ timer: TimerEvent, in context: Context) async throws {
                let runs = try await context.state.increment("runs")
                context.log.info("Run \\(runs), due at \\(timer.due)")
            }
        """

    private static let swiftFile = """
            func handle(_ file: FileEvent, in context: Context) async throws {
                let files = try await context.state.increment("files")
                context.log.info("File \\(files): \\(file.path) was \\(file.change)")
            }
        """

    private static let swiftTopic = """
            func receive(_ message: MessageEvent, in context: Context) async throws {
                let messages = try await context.state.increment("messages")
                context.log.info("Message \\(messages) from \\(message.source): \\(message.text)")
            }
        """

    private static let swiftState = """
            /// Called after each commit that changes a key under the trigger's prefix. What it writes there itself would
            /// call it again.
            func follow(_ change: StateEvent, in context: Context) async throws {
                let changes = try await context.state.increment("changes")
                context.log.info("Change \\(changes): \\(change.key) is now \\(change.text ?? "deleted")")
            }
        """

    private static let shellHTTP = """
        #!/bin/sh
        # The request's parameters are in the environment and its body is on standard input; what this prints is the body
        # of the response.
        echo "Hello, ${APUS_PARAM_NAME:-world}!"

        """

    private static let shellTimer = """
        #!/bin/sh
        # What this prints is in the log: apus logs
        echo "It is $(date)."

        """

    private static let shellFile = """
        #!/bin/sh
        # The attributes of the event are in the environment; what this prints is in the log: apus logs
        echo "$CE_TYPE: $CE_SUBJECT"

        """

    private static let shellEvent = """
        #!/bin/sh
        # The attributes of the event are in the environment, all of it is on standard input, as JSON; what this prints is
        # in the log: apus logs
        echo "$CE_TYPE from $CE_SOURCE${CE_SUBJECT:+ about $CE_SUBJECT}:"
        cat

        """

    private static let pythonHTTP = """
        import apus


        @apus.http
        def respond(request, context):
            calls = context.state.increment("calls")
            return f"Hello, {request.parameters.get('name', 'world')}! This is call {calls}.\\n"


        if __name__ == "__main__":
            apus.run()

        """

    private static let pythonTimer = """
        import apus


        @apus.timer
        def run(event, context):
            runs = context.state.increment("runs")
            context.log.info("Run %d, due at %s", runs, event.due)


        if __name__ == "__main__":
            apus.run()

        """

    private static let pythonFile = """
        import apus


        @apus.file
        def handle(event, context):
            files = context.state.increment("files")
            context.log.info("File %d: %s was %s", files, event.path, event.change)


        if __name__ == "__main__":
            apus.run()

        """

    private static let pythonTopic = """
        import apus


        @apus.message
        def receive(event, context):
            messages = context.state.increment("messages")
            context.log.info("Message %d from %s: %s", messages, event.source, event.text())


        if __name__ == "__main__":
            apus.run()

        """

    private static let pythonState = """
        import apus


        # Called after each commit that changes a key under the trigger's prefix. What it writes there itself would call it
        # again.
        @apus.state
        def follow(event, context):
            changes = context.state.increment("changes")
            value = event.text() if event.change == "set" else "deleted"
            context.log.info("Change %d: %s is now %s", changes, event.key, value)


        if __name__ == "__main__":
            apus.run()

        """

    // MARK: CGI programs

    private static let cgiHTTP = """
        #!/bin/sh
        # The request is in the environment, such as PATH_INFO, and its body on standard input. This prints the header
        # of the response, an empty line, and the body.
        name=${PATH_INFO#/}
        echo "Content-Type: text/plain"
        echo
        echo "Hello, ${name:-world}!"

        """

    private static let cgiTimer = """
        #!/bin/sh
        # What this prints after the empty line is in the log: apus logs
        echo "Content-Type: text/plain"
        echo
        echo "It is $(date)."

        """

    private static let cgiFile = """
        #!/bin/sh
        # The attributes of the event are in the environment; what this prints after the empty line is in the log:
        # apus logs
        echo "Content-Type: text/plain"
        echo
        echo "$CE_TYPE: $CE_SUBJECT"

        """

    private static let cgiEvent = """
        #!/bin/sh
        # The attributes of the event are in the environment, all of it is on standard input, as JSON; what this prints after
        # the empty line is in the log: apus logs
        echo "Content-Type: text/plain"
        echo
        echo "$CE_TYPE from $CE_SOURCE${CE_SUBJECT:+ about $CE_SUBJECT}:"
        head -c "${CONTENT_LENGTH:-0}"

        """

    // MARK: Servers in Python

    private static func server(answering method: String) -> String {
        """
        import os
        from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

        \(method)

            def answer(self, status, text=""):
                body = text.encode()
                self.send_response(status)
                self.send_header("Content-Type", "text/plain; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_request(self, *_):
                pass  # Not a line in the log for each.


        if __name__ == "__main__":
            ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()

        """
    }

    private static let serverHTTP = """
            def do_GET(self):
                name = self.path.partition("?")[0].split("/")[2:]
                self.answer(200, f"Hello, {name[0] if name else 'world'}!\\n")
        """

    private static let serverTimer = """
            def do_POST(self):
                # An event is a CloudEvent; what this prints is in the log: apus logs
                print(f"Due at {self.headers['ce-due']}", flush=True)
                self.answer(200)
        """

    private static let serverFile = """
            def do_POST(self):
                # An event is a CloudEvent; what this prints is in the log: apus logs
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                print(f"{self.headers['ce-type']}: {self.headers['ce-subject']}", flush=True)
                self.answer(200)
        """

    private static let serverEvent = """
            def do_POST(self):
                # An event is a CloudEvent; what this prints is in the log: apus logs
                data = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
                print(f"{self.headers['ce-type']} from {self.headers['ce-source']}: {data}", flush=True)
                self.answer(200)
        """
}
