import Foundation
import Manifests
import Support
import Testing

/// `manifests/schema.json` by Python's `jsonschema`, which `make test` installs beside the build.
@Suite struct SchemaTests {
    private static let schema = Fixtures.root + "/manifests/schema.json"

    @Test("the schema accepts every valid fixture and the reference")
    func valid() throws {
        let files =
            try Fixtures.valid.flatMap { try Fixtures.files("valid", $0) }.filter { !$0.hasSuffix("/reference.yaml") }
            + [Fixtures.root + "/manifests/reference.yaml"]
        for (file, verdict) in zip(files, try verdicts(on: files)) { #expect(verdict == "ok", "\(file)") }
    }

    @Test("the schema accepts what Apus serves")
    func served() throws {
        let folder = Fixtures.root + "/manifests"
        let files = try FileManager.default.contentsOfDirectory(atPath: folder).filter { $0.hasSuffix(".yaml") }.map {
            folder + "/" + $0
        }
        for (file, verdict) in zip(files, try verdicts(on: files)) { #expect(verdict == "ok", "\(file)") }
    }

    /// A fixture whose fault only the parser can see says so with `# schema: accepts` in its first line.
    @Test("the schema refuses every invalid fixture whose fault is one of structure, and no other")
    func invalid() throws {
        let files = try Fixtures.invalid.flatMap { try Fixtures.files("invalid", $0) }
        var accepted = 0
        for (file, verdict) in zip(files, try verdicts(on: files)) {
            let text = try String(contentsOfFile: file, encoding: .utf8)
            let isAccepted = text.hasPrefix("# schema: accepts\n")
            #expect((verdict == "ok") == isAccepted, "\(file): \(verdict)")
            accepted += isAccepted ? 1 : 0
        }
        #expect(accepted < files.count / 2, "the schema should catch most")
    }

    @Test("the schema and the parser know the same keys, and every key is described", arguments: sections)
    func keys(_ section: Section) async throws {
        let properties = try Self.properties(section.schemaPath)
        for (key, value) in properties {
            let isReference = section.name == "trigger" && ["http", "timer", "file"].contains(key)
            #expect(isReference || (value as? [String: Any])?["description"] is String, "\(section.name).\(key)")
        }
        // The parser lists what it knows when it meets a key that is like nothing.
        let text = "name: a\n" + section.manifest.replacing("@", with: "qqqqqqqqqqqqqqqq: 1")
        let problems = try await withTemporaryFolder { try load(text, in: $0).problems.map(\.message) }
        let message = try #require(problems.first { $0.contains("qqqqqqqqqqqqqqqq") })
        let listed = try #require(message.split(separator: "expected ").last)
        #expect(Set(listed.split(separator: #/, | or /#).map(String.init)) == Set(properties.keys))
    }

    @Test("the schema's defaults are the parser's")
    func defaults() async throws {
        var text = "name: a\nhandler: { product: A }\n"
        for section in ["workers", "limits", "retry"] {
            text += section + ":\n"
            for (key, value) in try Self.properties(["properties", section, "properties"]) {
                guard let fallback = (value as? [String: Any])?["default"] else { continue }
                text += "  \(key): \(fallback)\n"
            }
        }
        text += "triggers:\n"
        let required = ["http": "path: /", "timer": "cron: '@daily'\n      missed: all", "file": "watch: ."]
        for (kind, first) in required.sorted(by: { $0.key < $1.key }) {
            text += "  - \(kind):\n      \(first)\n"
            for (key, value) in try Self.properties(["$defs", kind, "properties"])
            where !["keep", "missed"].contains(key) {
                guard let fallback = (value as? [String: Any])?["default"] else { continue }
                text += "      \(key): \(fallback)\n"
            }
        }
        try await withTemporaryFolder { folder in
            let result = try load(text, in: folder)
            #expect(result.problems.map(\.description) == [])
            var expected = Manifest(
                name: "a", handler: Handler(command: ["A"], contract: .apus, directory: folder, product: "A"),
                triggers: [
                    .file(FileTrigger(watch: folder)), .http(HTTPTrigger(path: try RoutePattern("/"))),
                    .timer(TimerTrigger(schedule: .cron("@daily"), missed: .all)),
                ])
            expected.file = folder + "/manifest.yaml"
            #expect(result.manifests == [expected])
        }
    }

    /// Every value with every oddity. The schema may know less than the parser, but it never refuses more: an editor
    /// would underline what works.
    @Test("the schema accepts whatever the parser accepts")
    func oddities() async throws {
        let values = [
            "", "~", "true", "off", "0", "1", "-1", "1.5", "1e3", "99999999999", "'1'", "abc", "''", "'a b'", "/a",
            "'{a}'", "10s", "0s", "1MiB", "0B", "[]", "[a]", "[a, a]", "[1]", "[GET]", "[created]", "{}", "{ a: b }",
            "{ min: 1 }", "2026-12-24T18:00:00Z", "~/x", "once", "all", "'*/5 * * * *'", "\"\\0\"", "topic.x",
        ]
        let texts = Self.sections.flatMap { section in
            (try? Self.properties(section.schemaPath))?.keys.sorted().flatMap { key in
                values.map { "name: a\n" + section.manifest.replacing("@", with: "\(key): \($0)") }
            } ?? []
        }
        try await withTemporaryFolder { folder in
            var accepted: [String] = []
            for (index, text) in texts.enumerated() where try load(text, in: folder).problems.isEmpty {
                accepted.append("\(folder)/\(index).txt")
                try text.write(toFile: "\(folder)/\(index).txt", atomically: false, encoding: .utf8)
            }
            #expect(accepted.count > 50)
            for (file, verdict) in zip(accepted, try verdicts(on: accepted)) {
                let text = try String(contentsOfFile: file, encoding: .utf8)
                #expect(verdict == "ok", "\(text)")
            }
        }
    }

    /// A mapping of the manifest: where its properties are in the schema, and a manifest with `@` for a key of it.
    struct Section: Sendable, CustomTestStringConvertible {
        var name: String
        var schemaPath: [String]
        var manifest: String
        var testDescription: String { name }
    }

    static let sections: [Section] = {
        let handler = "handler: { product: A }\n"
        let trigger = handler + "triggers: [ { "
        return [
            Section(name: "manifest", schemaPath: ["properties"], manifest: handler + "@\n"),
            Section(
                name: "handler", schemaPath: ["properties", "handler", "properties"], manifest: "handler: { @ }\n"),
            Section(name: "trigger", schemaPath: ["$defs", "trigger", "properties"], manifest: trigger + "@ } ]\n"),
            Section(
                name: "http", schemaPath: ["$defs", "http", "properties"],
                manifest: trigger + "http: { path: /x, @ } } ]\n"),
            Section(
                name: "timer", schemaPath: ["$defs", "timer", "properties"],
                manifest: trigger + "timer: { cron: '@hourly', @ } } ]\n".replacing("'@hourly'", with: "0 * * * *")),
            Section(
                name: "every", schemaPath: ["$defs", "timer", "properties"], manifest: trigger + "timer: { @ } } ]\n"),
            Section(
                name: "dst", schemaPath: ["$defs", "timer", "properties", "dst", "properties"],
                manifest: trigger + "timer: { cron: 0 * * * *, dst: { @ } } } ]\n"),
            Section(
                name: "file", schemaPath: ["$defs", "file", "properties"],
                manifest: trigger + "file: { watch: in, @ } } ]\n"),
            Section(
                name: "topic",
                schemaPath: ["$defs", "trigger", "properties", "topic", "oneOf", "1", "properties"],
                manifest: trigger + "topic: { @ } } ]\n"),
            Section(
                name: "filter", schemaPath: ["$defs", "filter", "properties"],
                manifest: trigger + "topic: { name: a, filter: { @ } } } ]\n"),
            Section(
                name: "state", schemaPath: ["$defs", "trigger", "properties", "state", "properties"],
                manifest: trigger + "state: { @ } } ]\n"),
            policy("workers"), policy("limits"), policy("retry"), policy("on"),
            Section(
                name: "retire", schemaPath: ["properties", "workers", "properties", "retire", "properties"],
                manifest: handler + "workers: { retire: { @ } }\n"),
            Section(
                name: "sandbox", schemaPath: ["properties", "sandbox", "oneOf", "1", "properties"],
                manifest: handler + "sandbox: { @ }\n"),
        ]
    }()

    private static func policy(_ name: String) -> Section {
        Section(
            name: name, schemaPath: ["properties", name, "properties"],
            manifest: "handler: { product: A }\n\(name): { @ }\n")
    }

    private static func properties(_ path: [String]) throws -> [String: Any] {
        var node = try JSONSerialization.jsonObject(with: Data(contentsOf: URL(fileURLWithPath: schema)))
        for step in path {
            let next =
                (node as? [Any]).flatMap { list in Int(step).map { list[$0] } } ?? (node as? [String: Any])?[step]
            node = try #require(next, "\(path)")
        }
        return try #require(node as? [String: Any])
    }

    /// One line a file, from one run of Python.
    private func verdicts(on files: [String]) throws -> [String] {
        let python = Fixtures.root + "/.build/test-python/bin/python3"
        try #require(
            FileManager.default.isExecutableFile(atPath: python),
            "\(python) is missing; `make test` installs it, with the packages that the tests need")
        let process = Process()
        process.executableURL = URL(fileURLWithPath: python)
        process.arguments = [Fixtures.folder + "/validate.py", Self.schema] + files
        let output = Pipe()
        process.standardOutput = output
        try process.run()
        let data = try output.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        #expect(process.terminationStatus == 0)
        let lines = String(decoding: data, as: UTF8.self).split(separator: "\n").map(String.init)
        try #require(lines.count == files.count)
        return lines
    }
}
