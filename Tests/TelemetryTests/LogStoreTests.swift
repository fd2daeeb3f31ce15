import Events
import Foundation
import Logging
import Support
import Synchronization
import Telemetry
import Testing

@Suite struct LogStoreTests {
    @Test("lines are found by function, by invocation, by time and by number, in the order of their writing")
    func query() async throws {
        try await withTemporaryFolder { folder in
            let store = try LogStore(directory: folder + "/logs")
            for number in 0..<100 {
                store.record(
                    LogLine(
                        time: WallTime(milliseconds: Int64(number) * 60_000),
                        function: number % 2 == 0 ? "even" : "odd",
                        invocation: "call-\(number % 10)", message: "\(number)",
                        metadata: [HeaderField("function", "even")]))
            }
            #expect(await store.lines(LogFilter(function: "even")).count == 50)
            #expect(await store.lines(LogFilter(function: "even"), limit: 3).map(\.message) == ["94", "96", "98"])
            #expect(await store.lines(LogFilter(invocation: "call-7"), limit: 2).map(\.message) == ["87", "97"])
            let since = WallTime(milliseconds: 97 * 60_000)
            #expect(await store.lines(LogFilter(since: since)).map(\.message) == ["97", "98", "99"])
            #expect(await store.lines(LogFilter(function: "eve")).isEmpty)
            #expect(await store.lines(limit: 0).isEmpty)
        }
    }

    @Test("a full file is rotated, the oldest goes, and a search crosses the files")
    func rotation() async throws {
        try await withTemporaryFolder { folder in
            var configuration = LogStore.Configuration()
            configuration.fileBytes = 2000
            configuration.files = 3
            let store = try LogStore(directory: folder, configuration: configuration)
            for number in 0..<100 {
                store.record(LogLine(message: "\(number)"))
                store.flush()
            }
            let names = try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
            #expect(names == ["apus.jsonl", "apus.jsonl.1", "apus.jsonl.2"])
            for name in names {
                let size = try #require(
                    FileManager.default.attributesOfItem(atPath: folder + "/" + name)[.size] as? Int)
                #expect(size <= 2000)
            }
            let found = await store.lines().compactMap { Int($0.message) }
            #expect(found.count < 100)
            #expect(found == Array((100 - found.count)..<100))
            #expect(found.count > 40)
        }
    }

    @Test("a new file that cannot be made costs no old one, and the log goes on when it can be again")
    func rotationFails() async throws {
        try await withTemporaryFolder { folder in
            var configuration = LogStore.Configuration()
            configuration.fileBytes = 2000
            configuration.files = 3
            let store = try LogStore(directory: folder, configuration: configuration)
            func record(_ message: String) {
                store.record(LogLine(message: message))
                store.flush()
            }
            for number in 0..<100 { record("\(number)") }
            let before = await store.lines().map(\.message)
            // A folder in the place of the new file; not empty, so that it does not go either.
            try FileManager.default.createDirectory(
                atPath: folder + "/apus.jsonl.new/x", withIntermediateDirectories: true)
            for _ in 0..<10 { record(String(repeating: "a", count: 1900)) }
            #expect(await store.lines().map(\.message) == before)
            #expect(store.dropped == 10)
            try FileManager.default.removeItem(atPath: folder + "/apus.jsonl.new")
            record(String(repeating: "b", count: 1500))
            let after = await store.lines().map(\.message)
            #expect(after.suffix(2).first?.hasPrefix("bbb") == true)
            #expect(after.last?.hasPrefix("10 log lines were dropped") == true)
            #expect(after.contains(before.last ?? ""))
        }
    }

    @Test("lines longer than a block are found whole")
    func longLines() async throws {
        try await withTemporaryFolder { folder in
            let store = try LogStore(directory: folder)
            let messages = (0..<6).map { String(repeating: "\($0)", count: 150_000) }
            for message in messages { store.record(LogLine(message: message)) }
            #expect(await store.lines().map(\.message) == messages)
        }
    }

    @Test("a log goes on after a host that died in the middle of a line")
    func brokenLine() async throws {
        try await withTemporaryFolder { folder in
            let file = folder + "/apus.jsonl"
            try Data((LogLine(message: "first").json + "\n{\"time\":\"20").utf8).write(to: URL(filePath: file))
            let store = try LogStore(directory: folder)
            store.record(LogLine(message: "second"))
            #expect(await store.lines().map(\.message) == ["first", "second"])
        }
    }

    @Test("what is too much is dropped and counted, and the log says how much")
    func drops() async throws {
        try await withTemporaryFolder { folder in
            var configuration = LogStore.Configuration()
            configuration.waitingBytes = 1000
            let store = try LogStore(directory: folder, configuration: configuration)
            store.record(LogLine(message: String(repeating: "x", count: 2000)))
            store.flush()
            #expect(store.dropped == 1)
            let lines = await store.lines()
            #expect(lines.map(\.metadata) == [[HeaderField("dropped", "1")]])
            #expect(lines.first?.level == .warning)
        }
    }

    @Test("a folder that cannot be written is refused with its reason")
    func unwritable() throws {
        let error = #expect(throws: LogError.self) { try LogStore(directory: "/proc/nowhere") }
        #expect(error?.description.contains("/proc/nowhere") == true)
    }

    @Test("many threads lose nothing while the queue has room")
    func threads() async throws {
        try await withTemporaryFolder { folder in
            let store = try LogStore(directory: folder)
            await withTaskGroup { group in
                for task in 0..<8 {
                    group.addTask { for line in 0..<250 { store.record(LogLine(message: "\(task)/\(line)")) } }
                }
            }
            let lines = await store.lines(limit: 5000)
            #expect(Set(lines.map(\.message)).count == 2000)
            #expect(store.dropped == 0)
        }
    }
}

@Suite struct FollowTests {
    @Test("a follower gets the last lines, then the new ones that match")
    func follow() async throws {
        try await withTemporaryFolder { folder in
            let store = try LogStore(directory: folder)
            for number in 0..<5 { store.record(LogLine(function: "a", message: "\(number)")) }
            var entries = await store.follow(LogFilter(function: "a"), last: 2).makeAsyncIterator()
            store.record(LogLine(function: "b", message: "other"))
            store.record(LogLine(function: "a", message: "new"))
            var messages: [String] = []
            for _ in 0..<3 {
                if case .line(let line) = await entries.next() { messages.append(line.message) }
            }
            #expect(messages == ["3", "4", "new"])
        }
    }

    @Test("a follower that is too slow is told how many lines it missed")
    func skipped() async throws {
        try await withTemporaryFolder { folder in
            var configuration = LogStore.Configuration()
            configuration.followerLines = 2
            let store = try LogStore(directory: folder, configuration: configuration)
            var entries = await store.follow(last: 0).makeAsyncIterator()
            for number in 0..<5 { store.record(LogLine(message: "\(number)")) }
            store.flush()
            var messages: [String] = []
            for _ in 0..<2 { if case .line(let line) = await entries.next() { messages.append(line.message) } }
            store.record(LogLine(message: "later"))
            #expect(messages == ["0", "1"])
            #expect(await entries.next() == .skipped(3))
            guard case .line(let line) = await entries.next() else {
                Issue.record("no line after the count")
                return
            }
            #expect(line.message == "later")
        }
    }
}

@Suite struct HostLogHandlerTests {
    @Test("the host's metadata names the function, the worker and the invocation of a line")
    func fields() {
        let lines = Mutex<[LogLine]>([])
        var logger = Logger(label: "apus") { _ in
            HostLogHandler(level: .debug) { line in lines.withLock { $0.append(line) } }
        }
        logger[metadataKey: "function"] = "orders"
        logger.warning("slow", metadata: ["worker": "42", "invocation": "id", "took": "3 s"])
        logger.trace("not shown")
        let line = lines.withLock { $0 }.first
        #expect(lines.withLock { $0.count } == 1)
        #expect(line?.function == "orders")
        #expect(line?.worker == 42)
        #expect(line?.invocation == "id")
        #expect(line?.source == .host)
        #expect(line?.metadata == [HeaderField("took", "3 s")])
    }
}
