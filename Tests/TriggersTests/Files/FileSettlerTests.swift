import Events
import Manifests
import Storage
import Testing
import Triggers

/// A settler, a clock and a file system that are moved by hand.
private struct Bench {
    static let settle: Duration = .milliseconds(200)
    var settler: FileSettler
    var now = ContinuousClock.now
    /// Nanoseconds since 1970.
    var wall: Int64 = 1_800_000_000_000_000_000
    var files: [FilePath: FileStamp] = [:]

    init(_ index: [FilePath: FileStamp] = [:], include: [String] = []) {
        let filter = FileFilter(include: include.map { Glob($0) }, exclude: [])
        settler = FileSettler(filter: filter, settle: Self.settle, index: index, now: now)
        files = index
    }

    mutating func pass(_ milliseconds: Int) {
        now += .milliseconds(milliseconds)
        wall += Int64(milliseconds) * 1_000_000
    }

    /// Writes the file now, as the notices for it say.
    mutating func write(_ path: FilePath, inode: UInt64, size: Int64 = 1) {
        files[path] = FileStamp(size: size, modified: wall, inode: inode)
        settler.touch(path, now: now)
    }

    /// Both halves of a rename.
    mutating func move(_ old: FilePath, _ new: FilePath) {
        files[new] = files.removeValue(forKey: old)
        settler.depart(old, now: now)
        settler.arrive(new, from: old, now: now)
    }

    mutating func settled(limit: Int = 100) -> [FileChange] {
        let files = files
        return settler.settle(now: now, wall: wall, limit: limit) { path, _ in files[path] }.changes
    }

    /// Lets so much time pass that everything is decided.
    mutating func allSettled() -> [FileChange] {
        (0..<10).flatMap { _ -> [FileChange] in
            pass(100)
            return settled()
        }
    }
}

@Suite("File settler") struct FileSettlerTests {
    private let old = FileStamp(size: 1, modified: 1, inode: 1)

    @Test("a file is told when it has been quiet for the settle time, not before") func quiet() {
        var bench = Bench()
        for size in 1...5 {
            bench.write("a", inode: 1, size: Int64(size))
            bench.pass(150)
            #expect(bench.settled() == [])
        }
        bench.pass(100)
        #expect(bench.settled() == [.created("a", bench.files["a"]!)])
        #expect(bench.settler.nextDue == nil)
    }

    @Test("a file that was written after its last notice is looked at again") func unnoticedWrite() {
        var bench = Bench()
        bench.write("a", inode: 1)
        bench.pass(250)
        bench.files["a"]!.modified = bench.wall
        #expect(bench.settled() == [])
        bench.pass(300)
        #expect(bench.settled().count == 1)
    }

    @Test("a time in the future holds a file up only once") func future() {
        var bench = Bench()
        bench.write("a", inode: 1)
        bench.files["a"]!.modified = bench.wall + 1_000_000_000_000
        #expect(bench.allSettled() == [.created("a", bench.files["a"]!)])
    }

    @Test("what is as it was is nothing") func unchanged() {
        var bench = Bench(["a": old])
        bench.settler.touch("a", now: bench.now)
        bench.settler.touch("b", now: bench.now)
        #expect(bench.allSettled() == [])
    }

    @Test("a file that is gone is told with its last stamp") func deleted() {
        var bench = Bench(["a": old])
        bench.files = [:]
        bench.settler.delete("a", now: bench.now)
        #expect(bench.allSettled() == [.deleted("a", old)])
        #expect(bench.settler.index.isEmpty)
    }

    @Test("a rename is one change, whichever half comes how much later", arguments: [0, 50, 90])
    func halves(delay: Int) {
        var bench = Bench(["a": old])
        bench.files = ["b": old]
        bench.settler.depart("a", now: bench.now)
        bench.pass(delay)
        #expect(bench.settled() == [])
        bench.settler.arrive("b", from: "a", now: bench.now)
        #expect(bench.allSettled() == [.moved("b", from: "a", old)])
        #expect(bench.settler.index == ["b": old])
    }

    @Test("the old name waits while the new one is still written") func writtenAfterRename() {
        var bench = Bench(["a": old])
        bench.move("a", "b")
        for size in 2...6 {
            bench.write("b", inode: 1, size: Int64(size))
            bench.pass(150)
            #expect(bench.settled() == [])
        }
        #expect(bench.allSettled() == [.moved("b", from: "a", bench.files["b"]!)])
    }

    @Test("the old name is deleted when the new one does not stay either") func renamedAndDeleted() {
        var bench = Bench(["a": old])
        bench.move("a", "b")
        bench.files = [:]
        bench.settler.delete("b", now: bench.now)
        #expect(bench.allSettled() == [.deleted("a", old)])
    }

    @Test("renamed there and back is nothing") func thereAndBack() {
        var bench = Bench(["a": old])
        bench.move("a", "b")
        bench.move("b", "a")
        #expect(bench.allSettled() == [])
        #expect(bench.settler.index == ["a": old])
    }

    @Test("without a cookie, an unchanged file that left is the one that appears") func withoutCookie() {
        var bench = Bench(["a": old])
        bench.files = ["d/a": old]
        bench.settler.depart("a", now: bench.now)
        bench.settler.touch("d/a", now: bench.now)
        #expect(bench.allSettled() == [.moved("d/a", from: "a", old)])
    }

    @Test("an inode alone does not make a move") func inodeReuse() {
        var bench = Bench(["a": old, "b": FileStamp(size: 2, modified: 2, inode: 2)])
        bench.files = [:]
        bench.settler.delete("a", now: bench.now)
        bench.settler.depart("b", now: bench.now)
        bench.files["c"] = old
        bench.settler.touch("c", now: bench.now)
        bench.write("d", inode: 2)
        let told = bench.allSettled()
        #expect(told.count == 4)
        #expect(told.allSatisfy { if case .moved = $0 { false } else { true } })
    }

    @Test("a rename over a known file modifies it") func replace() {
        var bench = Bench(["f": old])
        bench.write("tmp", inode: 2)
        bench.move("tmp", "f")
        #expect(bench.allSettled() == [.modified("f", bench.files["f"]!)])
    }

    @Test("a scan tells exactly the difference, and a move where a file has kept all but its name") func reconcile() {
        let stamps = (1...5).map { FileStamp(size: 1, modified: Int64($0), inode: UInt64($0)) }
        var bench = Bench(["same": stamps[0], "gone": stamps[1], "changed": stamps[2], "old": stamps[3]])
        bench.files = ["same": stamps[0], "changed": old, "new": stamps[3], "more": stamps[4]]
        bench.settler.reconcile(found: bench.files, now: bench.now)
        let expected: Set<FileChange> = [
            .deleted("gone", stamps[1]), .modified("changed", old), .moved("new", from: "old", stamps[3]),
            .created("more", stamps[4]),
        ]
        let told = bench.allSettled()
        #expect(Set(told) == expected)
        #expect(told.count == 4)
        #expect(bench.settler.index == bench.files)
    }

    @Test("a batch has no more than was asked for, and the next goes on") func batches() {
        var bench = Bench()
        for number in 1...1000 { bench.write("f\(number)", inode: UInt64(number)) }
        bench.pass(400)
        var paths: Set<FilePath> = []
        for _ in 0..<10 {
            #expect(bench.settled(limit: 100).count == 100)
            paths.formUnion(bench.settler.index.keys)
        }
        #expect(paths.count == 1000)
        #expect(bench.settled() == [])
    }

    @Test("a folder that went away takes along what was not seen to be deleted") func abandon() {
        var bench = Bench(["a": old, "b": old])
        bench.files = [:]
        bench.settler.delete("a", now: bench.now)
        bench.settler.touch("b", now: bench.now)
        bench.settler.abandon()
        #expect(bench.allSettled() == [.deleted("a", old)])
    }

    @Test("a directory that moves takes its files along, twice") func relocate() {
        var bench = Bench(["d/x": old])
        bench.files = ["f/x": old]
        bench.settler.relocate("e", from: "d", now: bench.now)
        bench.settler.relocate("f", from: "e", now: bench.now)
        #expect(bench.allSettled() == [.moved("f/x", from: "d/x", old)])
    }

    @Test("canonically equivalent names are two files") func equivalentNames() {
        var bench = Bench()
        bench.write("d/\u{E9}", inode: 1)
        bench.write("d/e\u{301}", inode: 2)
        #expect(bench.allSettled().count == 2)
        bench.settler.relocate("e", from: "d", now: bench.now)
        #expect(bench.settler.nextDue != nil && bench.settler.index.count == 2)
    }

    @Test("a name may begin with a combining mark") func combiningMark() {
        let name: FilePath = "d/\u{301}x"
        var bench = Bench([name: old])
        bench.files = ["e/\u{301}x": old]
        bench.settler.relocate("e", from: "d", now: bench.now)
        #expect(bench.allSettled() == [.moved("e/\u{301}x", from: name, old)])
    }

    @Test("what the patterns do not want is not kept") func unwanted() {
        var bench = Bench(include: ["*.csv"])
        bench.write("a.txt", inode: 1)
        #expect(bench.settler.nextDue == nil)
    }
}
