/// The texts of a new function.
struct FunctionTemplate {
    enum Trigger: String, CaseIterable {
        case http, timer, file
    }

    enum Language: String, CaseIterable {
        case swift, shell, python

        /// What a script is called, and the manifest's lines that run it; `nil` where there is a product to build.
        var script: (file: String, handler: String)? {
            switch self {
            case .swift: nil
            case .shell: ("handler.sh", "  command: [sh, handler.sh]\n  contract: stdio")
            case .python: ("handler.py", "  command: [python3, handler.py]\n  contract: apus")
            }
        }
    }

    let name: String
    let trigger: Trigger
    let language: Language

    /// The name as a Swift type and product: `order-digest` becomes `OrderDigest`.
    var product: String { name.split(separator: "-").map { $0.prefix(1).uppercased() + $0.dropFirst() }.joined() }

    /// The folder that a file trigger watches, relative to the manifest's.
    var inbox: String { "../inbox/\(name)" }

    /// - Parameter directory: of the script, relative to the manifest's folder.
    func manifest(directory: String) -> String {
        let handler = language.script.map { "\($0.handler)\n  directory: \(directory)" } ?? "  product: \(product)"
        let line =
            switch trigger {
            case .http: "http: { path: \"/\(name)/{name?}\" }"
            case .timer: "timer: { every: 1m }"
            case .file: "file: { watch: \(inbox), events: [created, modified] }"
            }
        return """
            name: \(name)

            handler:
            \(handler)

            triggers:
              - \(line)

            """
    }

    var source: String {
        switch (language, trigger) {
        case (.shell, .http): Self.shellHTTP
        case (.shell, .timer): Self.shellTimer
        case (.shell, .file): Self.shellFile
        case (.python, .http): Self.pythonHTTP
        case (.python, .timer): Self.pythonTimer
        case (.python, .file): Self.pythonFile
        case (.swift, .http): swift(adopting: "HTTPFunction", body: Self.swiftHTTP)
        case (.swift, .timer): swift(adopting: "TimerFunction", body: Self.swiftTimer)
        case (.swift, .file): swift(adopting: "FileFunction", body: Self.swiftFile)
        }
    }

    var readme: String {
        """
        # \(product)

        What it does, how to run it, what to expect.

        """
    }

    /// The manifest of a package that holds this function alone.
    func package(apus: String) -> String {
        """
        // swift-tools-version: 6.2
        import PackageDescription

        let package = Package(
            name: "\(name)",
            dependencies: [.package(name: "apus", path: "\(apus)")],
            targets: [
                .executableTarget(name: "\(product)", dependencies: [.product(name: "Apus", package: "apus")])
            ]
        )

        """
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
}
