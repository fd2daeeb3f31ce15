import Foundation
import Manifests
import Support
import Testing

@Suite struct LoaderTests {
    private let manifest = "handler: { command: [cat] }\n"

    @Test("a folder is every manifest directly in it, in the order of their names")
    func folder() async throws {
        try await withTemporaryFolder { folder in
            try write("name: two\n" + manifest, to: folder + "/b.yaml")
            try write("name: one\n" + manifest, to: folder + "/a.yml")
            for ignored in ["reference.yaml", "schema.json", ".hidden.yaml", "notes.md", "a.yaml~"] {
                try write("not: a manifest\n", to: folder + "/" + ignored)
            }
            try FileManager.default.createDirectory(atPath: folder + "/below", withIntermediateDirectories: false)
            try write("name: three\n" + manifest, to: folder + "/below/c.yaml")
            let result = ManifestLoader.load([folder])
            #expect(result.problems == [])
            #expect(result.manifests.map(\.name) == ["one", "two"])
            #expect(result.manifests.map(\.file) == [folder + "/a.yml", folder + "/b.yaml"])
            #expect(ManifestLoader.load([folder + "/"]).manifests == result.manifests)
        }
    }

    @Test("a file that is named twice is read once")
    func twice() async throws {
        try await withTemporaryFolder { folder in
            try write("name: one\n" + manifest, to: folder + "/a.yaml")
            let result = ManifestLoader.load([folder + "/a.yaml", folder, folder + "/./a.yaml"])
            #expect(result.problems == [])
            #expect(result.manifests.count == 1)
        }
    }

    @Test("an empty folder declares nothing, is no problem, and is told")
    func empty() async throws {
        try await withTemporaryFolder { folder in
            let result = ManifestLoader.load([folder])
            #expect(result.problems == [])
            #expect(result.manifests == [])
            let warning = "\(folder): warning: the folder holds no *.yaml and no *.yml but reference.yaml"
            #expect(result.warnings.map(\.description) == [warning])
            try write("name: one\n" + manifest, to: folder + "/a.yaml")
            #expect(ManifestLoader.load([folder]).warnings == [])
        }
    }

    @Test("a folder to be watched that is not there, or is a file, is no problem, and is told")
    func unwatched() async throws {
        try await withTemporaryFolder { folder in
            let text = "name: one\nhandler: { command: [cat] }\ntriggers:\n  - file: { watch: ./in }\n"
            let result = try load(text, in: folder, handlers: .installed)
            #expect(result.problems == [])
            #expect(result.manifests.count == 1)
            let told = "there is no folder \(folder)/in; make it, or correct the path; until then the host waits for it"
            #expect(
                result.warnings.map(\.description) == [
                    "\(folder)/manifest.yaml:4:20: warning: triggers[0].file.watch: \(told)"
                ])
            try write("", to: folder + "/in")
            let file = try load(text, in: folder, handlers: .installed)
            #expect(file.problems == [])
            #expect(file.warnings.count == 1)
            #expect(file.warnings.first?.message.contains("\(folder)/in is no folder; watch that of the file") == true)
            try FileManager.default.removeItem(atPath: folder + "/in")
            try FileManager.default.createDirectory(atPath: folder + "/in", withIntermediateDirectories: false)
            #expect(try load(text, in: folder, handlers: .installed).warnings == [])
        }
    }

    @Test("the manifests without a problem are there beside the problems of the others")
    func partly() async throws {
        try await withTemporaryFolder { folder in
            try write("name: good\n" + manifest, to: folder + "/a.yaml")
            try write("name: Bad\n" + manifest, to: folder + "/b.yaml")
            let result = ManifestLoader.load([folder])
            #expect(result.manifests.map(\.name) == ["good"])
            #expect(result.problems.map(\.file) == [folder + "/b.yaml"])
            #expect(result.problems.map(\.position) == [Position(line: 1, column: 7)])
        }
    }

    @Test("what cannot be read is a problem of the file as a whole")
    func unreadable() async throws {
        try await withTemporaryFolder { folder in
            try Data([0x6E, 0xFF, 0xFE]).write(to: URL(fileURLWithPath: folder + "/latin.yaml"))
            try write(String(repeating: "#", count: (1 << 20) + 1), to: folder + "/long.yaml")
            let result = ManifestLoader.load([folder, folder + "/missing.yaml"])
            #expect(
                result.problems.map { $0.description.replacing(folder + "/", with: "") } == [
                    "latin.yaml: not valid UTF-8; save the file in that encoding",
                    "long.yaml: 1048577 bytes are too many for a manifest; the limit is 1048576",
                    "missing.yaml: no such file or folder",
                ])
        }
    }

    @Test("paths are seen from the folder of the manifest, whatever the current directory is")
    func paths() async throws {
        try await withTemporaryFolder { folder in
            let text = """
                name: paths
                handler: { command: [cat], directory: ../elsewhere/. }
                triggers:
                  - file: { watch: .. }
                  - file: { watch: /srv//in/../out }
                """
            let manifest = try #require(try load(text, in: folder).manifests.first)
            let parent = URL(fileURLWithPath: folder).deletingLastPathComponent().path
            #expect(manifest.handler.directory == parent + "/elsewhere")
            #expect(
                manifest.triggers == [.file(FileTrigger(watch: parent)), .file(FileTrigger(watch: "/srv/out"))])
        }
    }

    @Test("a relative path stays as the user gave it in messages, and is absolute in the manifest")
    func relative() async throws {
        try await withTemporaryFolder { folder in
            let up = FileManager.default.currentDirectoryPath.split(separator: "/").map { _ in "../" }.joined()
            let path = up + folder.dropFirst()
            try write("name: one\n" + manifest, to: folder + "/a.yaml")
            try write("name: one\n" + manifest, to: folder + "/b.yaml")
            let result = ManifestLoader.load([path])
            #expect(result.manifests.map(\.file) == [folder + "/a.yaml"])
            #expect(result.manifests.map(\.handler.directory) == [folder])
            #expect(
                result.problems.map(\.description) == [
                    "\(path)/b.yaml:1:7: name: 'one' is taken by \(path)/a.yaml:1:7; give each function its own name"
                ])
        }
    }

    @Test("line ends and a byte order mark of Windows change nothing")
    func windows() async throws {
        try await withTemporaryFolder { folder in
            let text = "\u{FEFF}name: windows\r\nhandler: { product: A }\r\nlimits:\r\n  time: 1s\r\n  time: 2\r\n"
            let result = try load(text, in: folder)
            #expect(
                result.problems.map { $0.description.replacing(folder + "/manifest.yaml:", with: "") } == [
                    "5:3: duplicate key 'time'; line 4 has it already",
                    "5:9: limits.time: expected a duration such as 200ms, 10s or 1h30m, found the number 2; "
                        + "add a unit (ms, s, m, h or d)",
                ])
        }
    }

    @Test("a sandbox.write above or below the watched folder is a loop, one beside it is not")
    func loops() async throws {
        try await withTemporaryFolder { folder in
            for (write, isLoop) in [("./in", true), (".", true), ("./in/deep", true), ("./inbox", false)] {
                let text = """
                    name: loop
                    handler: { product: A }
                    triggers: [ file: { watch: ./in } ]
                    sandbox: { write: [\(write)] }
                    """
                let problems = try load(text, in: folder).problems
                #expect(problems.contains { $0.message.contains("would call itself") } == isLoop, "\(write)")
            }
        }
    }

    @Test("the reference is a valid manifest, and what it says are defaults are the defaults")
    func reference() throws {
        let result = ManifestLoader.load([Fixtures.root + "/manifests/reference.yaml"])
        #expect(result.problems.map(\.description) == [])
        let reference = try #require(result.manifests.first)
        #expect(reference.description == "")
        #expect(reference.workers == WorkerPolicy())
        #expect(reference.limits == Limits())
        #expect(reference.retry == RetryPolicy())
        #expect(reference.destinations == Destinations())
        #expect(reference.namespace == reference.name)
        #expect(reference.environment == [:])
        let timer = TimerTrigger(schedule: .cron("0 7 * * MON-FRI"))
        #expect(reference.triggers.contains(.timer(timer)))
        let folder = URL(fileURLWithPath: Fixtures.root + "/manifests").path
        let file = FileTrigger(watch: folder + "/inbox", include: [Glob("**/*")], exclude: [Glob("**/*.part")])
        #expect(reference.triggers.contains(.file(file)))
        #expect(reference.httpTriggers.map(\.idempotency) == [.off])
    }
}

private func write(_ text: String, to path: String) throws {
    try text.write(toFile: path, atomically: false, encoding: .utf8)
}
