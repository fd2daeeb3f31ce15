import Foundation
import Manifests
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

    @Test("the schema and the parser know the same keys, and every key is described")
    func keys() throws {
        let schema = try JSONSerialization.jsonObject(with: Data(contentsOf: URL(fileURLWithPath: Self.schema)))
        let top = try #require((schema as? [String: Any])?["properties"] as? [String: Any])
        // The parser lists what it knows when it meets a key that is like nothing.
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("apus-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let known = try load("name: a\nhandler: { product: A }\nqqqqqqqqqq: 1\n", in: folder).problems[0].message
        for (key, value) in top {
            #expect(known.contains(key))
            #expect((value as? [String: Any])?["description"] is String, "\(key)")
        }
        #expect(known.split(separator: ",").count == top.count - 1)
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
