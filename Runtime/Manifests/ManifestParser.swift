import Yams

/// Reads one manifest: shapes first, then the meaning that one file has by itself. What concerns several files, such as
/// a name that is taken, is `ManifestSet`'s.
struct ManifestParser {
    let report: Report
    /// Absolute path of the manifest.
    let file: String
    let handlers: HandlerResolver

    /// Absolute path of the manifest's folder, from which its paths are seen.
    var folder: String { AbsolutePath.parent(file) }

    static let keys = [
        "name", "description", "handler", "triggers", "workers", "limits", "retry", "on", "sandbox", "state",
        "environment",
    ]

    func parse(_ root: Node) -> Declaration {
        var declaration = Declaration(report: report)
        guard let mapping = Value(node: root, path: "", report: report).mapping(keys: Self.keys) else {
            return declaration
        }
        let name = mapping.required("name", "give the function a name, such as 'name: orders'")
        declaration.name = name.flatMap(self.name)
        let handler = mapping.required("handler", "say what runs, such as 'handler: { product: Orders }'")
            .flatMap { handlerSyntax($0) }
        let namespace = mapping["state"].flatMap(self.name)?.value ?? declaration.name?.value ?? ""
        let triggers = self.triggers(mapping["triggers"], namespace: namespace)
        declaration.routes = triggers.compactMap { located in
            guard case .http(let trigger) = located.value else { return nil }
            return Located(value: trigger, report: report, position: located.position)
        }
        declaration.topics = triggers.compactMap { if case .topic(let topic) = $0.value { topic.name } else { nil } }
        declaration.followed = triggers.compactMap { located in
            guard case .state(let trigger) = located.value else { return nil }
            return Located(value: trigger.namespace, report: report, position: located.position)
        }
        var manifest = Manifest(
            name: declaration.name?.value ?? "", handler: Handler(command: [], contract: .apus, directory: folder),
            triggers: triggers.map(\.value), file: file)
        manifest.description = mapping["description"].flatMap { $0.text() } ?? ""
        manifest.workers = workers(mapping["workers"])
        manifest.limits = limits(mapping["limits"])
        manifest.retry = retry(mapping["retry"])
        (manifest.destinations, declaration.targets) = destinations(mapping["on"])
        manifest.sandbox = sandbox(mapping.entry("sandbox"))
        manifest.namespace = namespace
        manifest.environment = environment(mapping["environment"])
        checkMeaning(of: manifest, contract: handler?.contract, triggers: triggers, in: mapping)
        // Last, since it looks at the disk: a handler whose description is wrong is not looked for.
        manifest.handler = handler.flatMap(resolve) ?? manifest.handler
        declaration.manifest = report.problems.isEmpty ? manifest : nil
        return declaration
    }

    /// A function's or namespace's name.
    func name(_ value: Value) -> Located<String>? {
        guard let text = value.text("a name such as 'orders'") else { return nil }
        guard Manifest.isName(text) else {
            value.refuse(
                "'\(text.prefix(80))' is no name; use 1 to 63 lowercase letters, digits and '-', a letter first")
            return nil
        }
        return Located(value: text, report: report, position: value.position)
    }
}

extension Manifest {
    /// Whether a function or a namespace can have this name: `[a-z][a-z0-9-]*`, at most 63 characters, what also fits
    /// a DNS label.
    package static func isName(_ text: String) -> Bool {
        guard let first = text.utf8.first, (0x61...0x7A).contains(first), text.utf8.count <= 63 else { return false }
        return text.utf8.allSatisfy { (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) || $0 == 0x2D }
    }
}

/// What one file declares, as far as it could be read.
struct Declaration {
    let report: Report
    /// Only when the file has no problem.
    var manifest: Manifest?
    var name: Located<String>?
    var routes: [Located<HTTPTrigger>] = []
    /// The topics of its triggers.
    var topics: [String] = []
    /// The functions and topics that it names as destinations.
    var targets: [Located<String>] = []
    /// The namespaces of its `state` triggers.
    var followed: [Located<String>] = []

    init(report: Report) { self.report = report }
}
