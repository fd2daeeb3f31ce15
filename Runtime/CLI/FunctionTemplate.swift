import Manifests

/// The texts of a new function.
struct FunctionTemplate {
    enum Trigger: String, CaseIterable {
        case http, timer, file, topic, state
    }

    enum Language: String, CaseIterable {
        case swift, shell, python

        /// Those that there is a template for, the default first.
        var contracts: [Handler.Contract] {
            switch self {
            case .swift: [.apus]
            case .shell: [.stdio, .cgi]
            case .python: [.apus, .http]
            }
        }

        /// What a script is called, and the command that runs it; `nil` where there is a product to build.
        var script: (file: String, command: String)? {
            switch self {
            case .swift: nil
            case .shell: ("handler.sh", "[sh, handler.sh]")
            case .python: ("handler.py", "[python3, handler.py]")
            }
        }
    }

    let name: String
    let trigger: Trigger
    let language: Language
    let contract: Handler.Contract

    /// - Parameter contract: one of the language's; its default when it is missing.
    init(name: String, trigger: Trigger, language: Language, contract: Handler.Contract? = nil) {
        self.name = name
        self.trigger = trigger
        self.language = language
        self.contract = contract ?? language.contracts[0]
    }

    /// The name as a Swift type and product: `order-digest` becomes `OrderDigest`.
    var product: String { name.split(separator: "-").map { $0.prefix(1).uppercased() + $0.dropFirst() }.joined() }

    /// The folder that a file trigger watches, relative to the manifest's.
    var inbox: String { "../inbox/\(name)" }

    /// The topic that a function of messages listens to.
    var topic: String { name + ".requested" }

    /// - Parameter directory: of the script, relative to the manifest's folder.
    func manifest(directory: String) -> String {
        var handler = ["product: \(product)"]
        if let script = language.script {
            handler = ["command: \(script.command)", "contract: \(contract.rawValue)", "directory: \(directory)"]
        }
        let line =
            switch trigger {
            case .http: "http: { path: \"/\(name)/{name?}\" }"
            case .timer: "timer: { every: 1m }"
            case .file: "file: { watch: \(inbox), events: [created, modified] }"
            case .topic: "topic: \(topic)"
            case .state: "state: { prefix: \"entry/\" }"
            }
        return """
            name: \(name)

            handler:
            \(handler.map { "  " + $0 }.joined(separator: "\n"))

            triggers:
              - \(line)

            """
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
}
