import Foundation
import Support
import Testing

@Suite("Timers and files call functions")
struct TriggerTests {
    /// A filter that notes each event's subject and extensions in a file that the test reads.
    private static func recorder(_ name: String, triggers: String, into file: String) -> String {
        // A function is granted what there is.
        _ = FileManager.default.createFile(atPath: file, contents: nil)
        return """
            name: \(name)
            handler: { command: [/bin/sh, -c, "printf '%s %s %s\\\\n' \\"$CE_TYPE\\" \\"${CE_SUBJECT:-$CE_SCHEDULED}\\" \\"$CE_MISSED\\" >> \(file)"], contract: stdio }
            triggers: [\(triggers)]
            workers: { max: 4 }
            sandbox: { write: [\(file)] }
            """
    }

    private static func lines(_ file: String) -> [String] {
        ((try? String(contentsOfFile: file, encoding: .utf8)) ?? "").split(separator: "\n").map(String.init)
    }

    // MARK: Timers

    @Test(
        "due times that passed while the host was down are made up for as the manifest says",
        arguments: [("none", 0), ("once", 1), ("all", 3)])
    func missed(policy: String, expected: Int) async throws {
        try await withTemporaryFolder { folder in
            let record = folder + "/record"
            let manifest = Self.recorder(
                "tick", triggers: #"{ timer: { cron: "0 * * * *", missed: \#(policy), overlap: allow } }"#, into: record
            )
            try await ApusHost.with(["tick": manifest], environment: Faults.clock(at: "2026-06-01T10:30:00Z")) { host in
                let isKnown = await eventually { host.log.contains("serves 1 function on http://") }
                #expect(isKnown)
                host.kill()
                // 11:00, 12:00 and 13:00 pass while nobody is there.
                try await host.start(environment: Faults.clock(at: "2026-06-01T13:30:00Z"))
                if expected > 0 {
                    let isMade = await eventually { Self.lines(record).count >= expected }
                    #expect(isMade)
                }
                // Whatever else were due would have been fired before the host says that nothing waits.
                let isQuiet = try await eventually { try host.queued("tick") == 0 }
                #expect(isQuiet)
                #expect(Self.lines(record).count == expected)
            }
        }
    }

    @Test(
        "a host that lives through both changes of the clocks follows the rules",
        arguments: [
            // 02:30 does not exist on 29 March: it runs once, right after the gap.
            ("2026-03-28T23:00:00Z", "2026-03-29T01:00:00.000Z", "2026-03-30T00:30:00.000Z"),
            // 02:30 comes twice on 25 October: it runs at the first.
            ("2026-10-24T23:00:00Z", "2026-10-25T00:30:00.000Z", "2026-10-26T01:30:00.000Z"),
        ])
    func daylightSaving(start: String, first: String, second: String) async throws {
        try await withTemporaryFolder { folder in
            let record = folder + "/record"
            let manifest = Self.recorder(
                "nightly", triggers: #"{ timer: { cron: "30 2 * * *", zone: Europe/Berlin } }"#, into: record)
            // Ten seconds of the test are ten hours of the host.
            try await ApusHost.with(["nightly": manifest], environment: Faults.clock(at: start, speed: 3600)) { _ in
                let hasPassed = await eventually(within: .seconds(60)) { Self.lines(record).count >= 2 }
                #expect(hasPassed)
                let fired = Self.lines(record).prefix(2).map { $0.split(separator: " ")[1] }
                #expect(fired == [first[...], second[...]])
            }
        }
    }

    // MARK: Files

    @Test("a clone of 2,000 files, changes while the host is down, and a rename are delivered once each")
    func files() async throws {
        try await withTemporaryFolder { folder in
            let (source, watched, record) = (folder + "/source", folder + "/watched", folder + "/record")
            try FileManager.default.createDirectory(atPath: watched, withIntermediateDirectories: true)
            try makeRepository(at: source, files: 2000)
            let manifest = Self.recorder(
                "inbox", triggers: #"{ file: { watch: \#(watched), exclude: ["**/.git/**"] } }"#, into: record)
            try await ApusHost.with(["inbox": manifest]) { host in
                try git("clone", "--quiet", source, watched + "/clone")
                let isDelivered = await eventually(within: .seconds(120)) { Self.lines(record).count >= 2000 }
                #expect(isDelivered)
                let isQuiet = try await eventually { try host.queued("inbox") == 0 }
                #expect(isQuiet)
                let created = Self.lines(record)
                #expect(created.count == 2000)
                #expect(Set(created).count == 2000)
                #expect(created.allSatisfy { $0.hasPrefix("apus.file.created clone/") })

                host.kill()
                let manager = FileManager.default
                try "changed".write(toFile: watched + "/clone/file-1.txt", atomically: false, encoding: .utf8)
                try manager.removeItem(atPath: watched + "/clone/file-2.txt")
                try manager.moveItem(atPath: watched + "/clone/file-3.txt", toPath: watched + "/clone/renamed.txt")
                try "new".write(toFile: watched + "/new.txt", atomically: false, encoding: .utf8)
                try await host.start()
                let isCaughtUp = await eventually { Self.lines(record).count >= 2004 }
                #expect(isCaughtUp)
                let isQuietAgain = try await eventually { try host.queued("inbox") == 0 }
                #expect(isQuietAgain)
                let changes = Set(Self.lines(record).dropFirst(2000).map { $0.trimmingCharacters(in: .whitespaces) })
                #expect(
                    changes == [
                        "apus.file.modified clone/file-1.txt", "apus.file.deleted clone/file-2.txt",
                        "apus.file.moved clone/renamed.txt", "apus.file.created new.txt",
                    ])
                #expect(Self.lines(record).count == 2004)
            }
        }
    }

    @Test("a folder that is made anew is watched again, by workers who may read what is in it")
    func folderMadeAnew() async throws {
        try await withTemporaryFolder { folder in
            let inbox = folder + "/inbox"
            let manager = FileManager.default
            try manager.createDirectory(atPath: inbox, withIntermediateDirectories: true)
            let manifest = """
                name: reader
                handler: { command: [python3, reader.py], contract: apus }
                triggers: [{ file: { watch: \(inbox), settle: 10ms } }, { http: { path: /pid } }]
                retry: { attempts: 1 }
                """
            let handler = """
                import os, apus

                @apus.file
                def changed(event, context):
                    context.state.set(event.name, open(event.path).read())

                apus.http(lambda request, context: str(os.getpid()))
                apus.run()
                """
            try await ApusHost.with(
                ["reader": manifest],
                prepare: { try handler.write(toFile: $0 + "/manifests/reader.py", atomically: true, encoding: .utf8) }
            ) { host in
                func isRead(_ name: String, of text: String) async throws {
                    try text.write(toFile: "\(inbox)/\(name)", atomically: false, encoding: .utf8)
                    let isRead = try await eventually { try host.cli("state", "get", "reader", name).output == text }
                    #expect(isRead, "\(host.log)")
                }
                try await isRead("one", of: "first")
                let pid = try host.get("/pid").text
                try manager.moveItem(atPath: inbox, toPath: inbox + "-old")
                try manager.createDirectory(atPath: inbox, withIntermediateDirectories: true)
                try await isRead("two", of: "second")
                #expect(try host.get("/pid").text != pid)
                #expect(try host.cli("logs", "reader").output.contains("new workers"))
            }
        }
    }

    @Test("a granted file that is replaced can be read again soon", .timeLimit(.minutes(1)))
    func grantedFileReplaced() async throws {
        try await withTemporaryFolder { folder in
            let settings = folder + "/settings"
            try "old".write(toFile: settings, atomically: true, encoding: .utf8)
            let manifest = """
                name: reader
                handler: { command: [python3, reader.py], contract: apus }
                triggers: [{ http: { path: /read } }]
                sandbox: { read: [\(settings)] }
                """
            let handler = """
                import apus
                apus.http(lambda request, context: open("\(settings)").read())
                apus.run()
                """
            try await ApusHost.with(
                ["reader": manifest],
                prepare: { try handler.write(toFile: $0 + "/manifests/reader.py", atomically: true, encoding: .utf8) }
            ) { host in
                #expect(try host.get("/read").text == "old")
                // Foundation writes beside it and renames.
                try "new".write(toFile: settings, atomically: true, encoding: .utf8)
                let isRead = try await eventually { try host.get("/read").text == "new" }
                #expect(isRead)
            }
        }
    }

    private func makeRepository(at path: String, files: Int) throws {
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        try git("init", "--quiet", path)
        for index in 0..<files {
            try "file \(index)\n".write(toFile: path + "/file-\(index).txt", atomically: false, encoding: .utf8)
        }
        try git("-C", path, "add", ".")
        try git(
            "-C", path, "-c", "user.name=Test", "-c", "user.email=test@localhost", "commit", "--quiet", "-m",
            "Add files")
    }

    private func git(_ arguments: String...) throws {
        let result = try run("/usr/bin/env", ["git"] + arguments)
        try #require(result.status == 0, "git \(arguments): \(result.error)")
    }

    // MARK: The queue

    @Test("an event that was running when the host was killed runs again with the next one")
    func hostKilled() async throws {
        try await withTemporaryFolder { folder in
            let record = folder + "/record"
            // The first try waits for its end; the next one is done at once. Both tell by the record alone:
            // the host may be killed as soon as the first line is in it.
            let script = "echo try >> \(record); test $(wc -l < \(record)) -gt 1 || sleep 600"
            let manifest = """
                name: once
                handler: { command: [/bin/sh, -c, "\(script)"], contract: stdio }
                triggers: [{ timer: { at: 2026-01-01T00:00:00Z, missed: once } }]
                limits: { time: 1h }
                sandbox: { write: [\(folder)] }
                """
            try await ApusHost.with(["once": manifest], environment: Faults.clock(at: "2025-12-31T23:59:59Z")) { host in
                let isRunning = await eventually { Self.lines(record).count == 1 }
                #expect(isRunning)
                host.kill()
                try await host.start()
                let isDone = try await eventually { try host.function("once").queue.done == 1 }
                #expect(isDone)
                #expect(Self.lines(record).count == 2)
            }
        }
    }
}

extension ApusHost {
    /// Invocations that wait or run.
    func queued(_ name: String) throws -> Int {
        let queue = try function(name).queue
        return queue.waiting + queue.running
    }
}
