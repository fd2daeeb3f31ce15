import Events
import Foundation
import Manifests
import Storage
import Support
import Synchronization
import Testing
import Triggers

@Suite("File service") struct FileServiceTests {
    @Test("an event says what happened, where, and to which state of the file") func event() async throws {
        try await withFileWorld { world in
            try world.write("a.csv", "1")
            let trigger = world.trigger(include: ["*.csv"])
            try await world.serving([FileWorld.manifest("f", world.trigger(world.base), trigger)]) {
                try await world.shell("touch -d 2026-01-02T03:04:05.678Z a.csv; mv a.csv b.csv")
                try await world.wait { try await world.events().contains { $0.subject == "b.csv" } }
                let event = try #require(try await world.events().first { $0.subject == "b.csv" })
                #expect(event.type == "apus.file.moved")
                #expect(event.source == "/functions/f/files/1")
                #expect(
                    event.extensions == [
                        "path": world.inbox + "/b.csv", "name": "b.csv", "oldpath": world.inbox + "/a.csv",
                        "oldname": "a.csv", "watch": world.inbox, "size": "1", "modified": "2026-01-02T03:04:05.678Z",
                    ])
            }
        }
    }

    @Test("changes that were made while the host was down are delivered at start, once") func restart() async throws {
        try await withFileWorld { world in
            try await world.shell("echo 1 > same; echo 2 > gone; echo 3 > changed; echo 4 > old; mkdir d; echo 5 > d/x")
            let manifest = FileWorld.manifest("f", world.trigger())
            try await world.serving([manifest]) { try await world.tells([]) }
            try await world.shell("rm gone quiet-*; echo more >> changed; mv old new; mv d e; echo 6 > e/y")
            let next = FileWorld(base: world.base, store: world.store)
            let expected = [
                "created e/y", "deleted gone", "modified changed", "moved d/x -> e/x", "moved old -> new",
            ]
            try await next.serving([manifest]) { try await next.tells(expected) }
            let last = FileWorld(base: world.base, store: world.store)
            try await last.serving([manifest]) { try await last.tells([]) }
        }
    }

    @Test("the triggers of the start are unscanned until their folders have been looked through; later ones never are")
    func unscanned() async throws {
        try await withFileWorld { world in
            let (gate, open) = AsyncStream<Void>.makeStream()
            let ledger = FileLedger(
                index: { trigger in
                    if trigger != "late/file/0" { for await _ in gate { break } }
                    return nil
                }, record: { _, _, _ in })
            let held = FileWorld(base: world.base, store: world.store, ledger: ledger)
            let first = FileWorld.manifest("f", world.trigger())
            try await held.serving([first], until: .loading) {
                #expect(held.service.unscanned == ["f/file/0"])
                open.finish()
                try await held.wait { held.service.unscanned.isEmpty }
                try await held.service.update([first, FileWorld.manifest("late", world.trigger())])
                #expect(held.service.unscanned == [])
            }
        }
    }

    @Test("more changes at once than the queue of the function holds are delivered, and a move that is two events")
    func smallQueue() async throws {
        try await withFileWorld { world in
            try await world.shell("for n in $(seq 20); do echo $n > f$n; done; echo > a")
            var manifest = FileWorld.manifest("f", world.trigger(events: [.created, .deleted], existing: .deliver))
            manifest.limits.queue = 1
            world.store.setBounds(["f": QueueBounds(waiting: 1)])
            try await world.serving([manifest]) {
                try await world.wait { try await world.events().count == 21 }
                try await world.shell("mv a b")
                try await world.wait { try await world.events().count == 23 }
                #expect(Set(try await world.events().suffix(2).map(FileWorld.line)) == ["created b", "deleted a"])
            }
        }
    }

    @Test("changes that wait for room in the queue of one function keep those of another from nothing")
    func fullQueue() async throws {
        try await withFileWorld { world in
            let manifests = [FileWorld.manifest("f", world.trigger()), FileWorld.manifest("g", world.trigger())]
            world.store.setBounds(["f": QueueBounds(waiting: 1)])
            let event = Event(id: "1", source: "/s", type: "t", time: .now())
            _ = try await world.store.enqueue([
                NewInvocation(function: "f", kind: .file, trigger: "f/file/0", event: event, due: .now())
            ])
            try await world.serving(manifests) {
                try world.write("a", "1")
                try await world.tells(["created a"], to: "g")
                try await world.wait { try await world.events("f").contains { $0.subject == "a" } }
            }
        }
    }

    @Test("a folder that has left and comes anew at once is watched") func newInstead() async throws {
        try await withFileWorld { world in
            try await world.shell("mkdir d; echo 1 > d/a")
            try await world.serving([FileWorld.manifest("f", world.trigger())]) {
                try await world.shell("mv d $base/gone; mkdir -p d/e; echo 2 > d/b")
                try await world.tells(["created d/b", "deleted d/a"])
                try await world.shell("echo 3 > d/e/c; echo 4 > d/f")
                try await world.tells(["created d/e/c", "created d/f"])
            }
        }
    }

    @Test("the first scan delivers what exists where that is asked for") func existing() async throws {
        try await withFileWorld { world in
            try await world.shell("echo 1 > a; mkdir d; echo 2 > d/b; echo 3 > .hidden")
            let manifests = [
                FileWorld.manifest("f", world.trigger(existing: .deliver)), FileWorld.manifest("g", world.trigger()),
            ]
            try await world.serving(manifests) {
                try await world.tells(["created a", "created d/b"], to: "f")
                try await world.tells([], to: "g")
            }
        }
    }

    @Test("other patterns make a trigger start anew") func otherPatterns() async throws {
        try await withFileWorld { world in
            try await world.shell("echo 1 > a.csv; echo 2 > b.txt")
            try await world.serving([FileWorld.manifest("f", world.trigger(include: ["*.csv"]))]) {
                try await world.settled()
            }
            let next = FileWorld(base: world.base, store: world.store)
            try await next.serving([FileWorld.manifest("f", next.trigger())]) {
                try next.write("d.txt", "4")
                try await next.tells(["created d.txt"])
            }
        }
    }

    @Test("several functions watch the same folder, one of them only a part of it") func shared() async throws {
        try await withFileWorld { world in
            try await world.shell("mkdir -p d/e")
            let whole = FileWorld.manifest("f", world.trigger())
            let manifests = [
                whole, FileWorld.manifest("g", world.trigger()),
                FileWorld.manifest("h", world.trigger(world.inbox + "/d")),
            ]
            try await world.serving(manifests) {
                try await world.shell("echo 1 > a; echo 2 > d/e/b")
                try await world.tells(["created a", "created d/e/b"], to: "f")
                try await world.tells(["created a", "created d/e/b"], to: "g")
                try await world.settled("h", in: world.inbox + "/d")
                let told = try await world.events("h").map(FileWorld.line)
                #expect(told.contains("created e/b"))
                // The others go; what they watched as well is still watched.
                try await world.service.update([whole])
                try await world.wait { world.service.states.count == 1 }
                _ = try await world.story("f")
                try await world.shell("echo 3 > d/e/c")
                try await world.tells(["created d/e/c"], to: "f")
            }
        }
    }

    @Test("a folder that does not exist is waited for; all that comes with it is new") func missingRoot() async throws {
        try await withFileWorld { world in
            try await world.shell("rmdir $base/inbox")
            try await world.serving([FileWorld.manifest("f", world.trigger())], until: .waitingForFolder) {
                try await world.shell("mkdir -p t/d; echo 1 > t/d/a; mv t inbox")
                try await world.tells(["created d/a"])
            }
        }
    }

    @Test("a folder that is deleted and made again goes on") func recreatedRoot() async throws {
        try await withFileWorld { world in
            try await world.shell("echo 1 > a; echo 2 > b")
            try await world.serving([FileWorld.manifest("f", world.trigger())]) {
                try await world.shell("rm -r $base/inbox")
                try await world.wait { try await world.events().count == 2 }
                try await world.wait { world.service.states["f/file/0"] == .waitingForFolder }
                try await world.shell("mkdir inbox; echo 3 > inbox/b; echo 4 > inbox/c")
                try await world.tells(["created b", "created c", "deleted a", "deleted b"])
            }
        }
    }

    @Test("a folder that is replaced at once goes on") func replacedRoot() async throws {
        try await withFileWorld { world in
            try await world.shell("echo 1 > a; echo 2 > b")
            try await world.serving([FileWorld.manifest("f", world.trigger())]) {
                // Its inode may be the same again.
                try await world.shell("rm -r $base/inbox; mkdir $base/inbox; echo 333 > $base/inbox/b")
                try await world.wait { try await world.events().contains { $0.type == "apus.file.deleted" } }
                try await world.shell("echo 4 > c")
                try await world.tells(["created c", "deleted a", "modified b"])
            }
        }
    }

    @Test("a host that ends in the middle leaves the rest to the next") func endInTheMiddle() async throws {
        try await withFileWorld { first in
            let trigger = first.trigger(settle: .milliseconds(20), existing: .deliver)
            try await first.shell("for n in $(seq 3000); do echo $n > $n; done")
            try await first.serving([FileWorld.manifest("f", trigger)]) {
                try await first.wait { first.notifications > 0 }
            }
            let last = FileWorld(base: first.base, store: first.store)
            try await last.serving([FileWorld.manifest("f", trigger)]) {
                try await last.tells((1...3000).map { "created \($0)" }.sorted())
            }
        }
    }

    @Test("a folder that is moved away says nothing about its files") func movedRoot() async throws {
        try await withFileWorld { world in
            try await world.shell("echo 1 > a; echo 2 > b")
            try await world.serving([FileWorld.manifest("f", world.trigger())]) {
                try await world.shell("mv $base/inbox $base/away")
                try await world.wait { world.service.states["f/file/0"] == .waitingForFolder }
                try await world.shell("rm away/a; mv away inbox")
                try await world.tells(["deleted a"])
            }
        }
    }

    @Test(
        "two thousand files are delivered once each, also when the kernel's queue overflows", arguments: [false, true])
    func burst(overflowing: Bool) async throws {
        let setting = URL(fileURLWithPath: "/proc/sys/fs/inotify/max_queued_events")
        let usual = try Data(contentsOf: setting)
        // Only root may lower it; the kernel takes it over when the service opens its inotify instance.
        if overflowing { guard (try? Data("16\n".utf8).write(to: setting)) != nil else { return } }
        defer { if overflowing { try? usual.write(to: setting) } }
        try await withFileWorld { world in
            try await world.serving([FileWorld.manifest("f", world.trigger())]) {
                if overflowing { try usual.write(to: setting) }
                try await world.shell(
                    "for d in $(seq 20); do mkdir $d; for n in $(seq 100); do echo $n > $d/$n; done; done")
                let expected = (1...20).flatMap { d in (1...100).map { "created \(d)/\($0)" } }.sorted()
                try await world.tells(expected)
                #expect(world.notifications > 3)
            }
        }
    }

    @Test("storage that fails for a while loses and doubles nothing") func failingStorage() async throws {
        struct Full: Error {}
        try await withFileWorld { outer in
            let attempts = Mutex(0)
            let real = FileLedger(store: outer.store)
            let ledger = FileLedger(index: real.index) { key, index, invocations in
                let attempt = attempts.withLock {
                    $0 += 1
                    return $0
                }
                // The second attempt fails after its commit: the answer got lost.
                if attempt != 2 && attempt % 3 != 0 || attempt == 2 { try await real.record(key, index, invocations) }
                if attempt % 3 != 1 { throw Full() }
            }
            let world = FileWorld(base: outer.base, store: outer.store, ledger: ledger)
            try await world.serving([FileWorld.manifest("f", world.trigger())]) {
                try await world.shell("echo 1 > a; echo 2 > b")
                try await world.tells(["created a", "created b"])
            }
        }
    }

    @Test("a name that is not UTF-8 is skipped, its neighbours are not") func notUTF8() async throws {
        try await withFileWorld { world in
            try await world.serving([FileWorld.manifest("f", world.trigger())]) {
                try await world.shell("mkdir d; touch \"$(printf 'a\\377b')\" \"$(printf 'd/a\\377b')\" d/ok ok ünï")
                try await world.tells(["created d/ok", "created ok", "created ünï"])
            }
        }
    }

    @Test("names that Swift takes for equal, or joins to the slash before them, are files of their own")
    func equivalentNames() async throws {
        try await withFileWorld { world in
            try await world.serving([FileWorld.manifest("f", world.trigger())]) {
                try await world.shell(
                    "touch \"$(printf '\\303\\251')\" \"$(printf 'e\\314\\201')\" \"$(printf '\\314\\201x')\"")
                try await world.wait { try await world.events().count == 3 }
                let names = try await world.events().compactMap { $0.subject.map { FilePath($0) } }
                #expect(Set(names) == ["\u{E9}", "e\u{301}", "\u{301}x"])
            }
        }
    }

    @Test("excluded directories are left alone") func excluded() async throws {
        try await withFileWorld { world in
            let trigger = world.trigger(exclude: ["build", "node_modules/**", "**/*.tmp"])
            try await world.serving([FileWorld.manifest("f", trigger)]) {
                try await world.shell(
                    "mkdir -p build/x node_modules/y src; touch build/x/1 node_modules/y/2 src/3 src/4.tmp")
                try await world.tells(["created src/3"])
            }
        }
    }
}
