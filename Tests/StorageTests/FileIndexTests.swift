import Events
import Storage
import Testing

@Suite("File index")
struct FileIndexTests {
    private let stamp = FileStamp(size: .max, modified: 1_700_000_000_123_456_789, inode: .max)

    @Test("there is none before the first scan, and an empty one after an empty scan")
    func firstScan() async throws {
        try await withStore { (store, folder) async throws in
            #expect(try await store.fileIndex(trigger: "f/file/0") == nil)
            try await store.recordFiles(trigger: "f/file/0", changes: [:], invocations: [])
            #expect(try await store.fileIndex(trigger: "f/file/0") == [:])
            #expect(try await store.fileIndex(trigger: "f/file/1") == nil)
        }
    }

    @Test("changes and events come together")
    func record() async throws {
        try await withStore { (store, folder) async throws in
            let other = FileStamp(size: 0, modified: -1, inode: 0)
            try await store.recordFiles(
                trigger: "t", changes: ["a": stamp, "b/ü": stamp], invocations: [.sample("1"), .sample("1")])
            try await store.recordFiles(trigger: "u", changes: ["a": other], invocations: [])
            try await store.recordFiles(trigger: "t", changes: ["a": nil, "b/ü": other, "c": nil], invocations: [])
            try store.close()
            try await reopening(folder) { (store) async throws in
                #expect(try await store.fileIndex(trigger: "t") == ["b/ü": other])
                #expect(try await store.fileIndex(trigger: "u") == ["a": other])
                #expect(try await store.queueCounts()["f"]?.waiting == 1)
            }
        }
    }

    @Test("canonically equivalent paths are two files")
    func equivalentPaths() async throws {
        try await withStore { (store, _) async throws in
            let other = FileStamp(size: 0, modified: 1, inode: 2)
            let index: [FilePath: FileStamp] = ["\u{E9}": stamp, "e\u{301}": other]
            try await store.recordFiles(trigger: "t", changes: index.mapValues { $0 }, invocations: [])
            #expect(try await store.fileIndex(trigger: "t") == index)
            try await store.recordFiles(trigger: "t", changes: ["\u{E9}": nil], invocations: [])
            #expect(try await store.fileIndex(trigger: "t") == ["e\u{301}": other])
        }
    }

    @Test("ten thousand files are one transaction")
    func many() async throws {
        try await withStore { (store, _) async throws in
            let before = store.statistics.commits
            let changes = Dictionary(
                uniqueKeysWithValues: (0..<10_000).map { (FilePath("d/\($0)"), FileStamp?.some(stamp)) })
            try await store.recordFiles(trigger: "t", changes: changes, invocations: [])
            #expect(store.statistics.commits == before + 1)
            #expect(try await store.fileIndex(trigger: "t")?.count == 10_000)
        }
    }
}
