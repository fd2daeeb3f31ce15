import Glibc
import Testing
import Triggers

@Suite("Watch state") struct WatchStateTests {
    private let now = ContinuousClock.now

    private func notice(_ flags: Int32, _ name: String, watch: Int32 = 1, cookie: UInt32 = 0) -> WatchNotice {
        WatchNotice(watch: watch, mask: UInt32(bitPattern: flags), cookie: cookie, name: .text(name))
    }

    private func state() -> WatchState {
        var state = WatchState()
        state.tree.insert(1, at: "/r")
        state.tree.insert(2, at: "/r/d")
        state.tree.insert(3, at: "/r/d/e")
        return state
    }

    @Test("a notice means something for the path it is about")
    func plain() {
        var state = state()
        #expect(state.handle(notice(IN_MODIFY, "f"), now: now) == [.touched("/r/f")])
        #expect(state.handle(notice(IN_DELETE, "f", watch: 3), now: now) == [.deleted("/r/d/e/f")])
        #expect(state.handle(notice(IN_CREATE | IN_ISDIR, "n"), now: now) == [.directoryAppeared("/r/n")])
        #expect(state.handle(notice(IN_DELETE | IN_ISDIR, "d"), now: now) == [])
        #expect(state.handle(notice(IN_MODIFY, "f", watch: 9), now: now) == [])
        #expect(state.handle(WatchNotice(watch: 2, mask: UInt32(IN_DELETE_SELF)), now: now) == [.selfLost("/r/d")])
        let unreadable = WatchNotice(watch: 2, mask: UInt32(IN_CREATE), name: .unreadable)
        #expect(state.handle(unreadable, now: now) == [.unreadable("/r/d")])
    }

    @Test("halves of a rename find each other by their cookie")
    func renames() {
        var state = state()
        #expect(state.handle(notice(IN_MOVED_FROM, "a", cookie: 7), now: now) == [.departed("/r/a")])
        #expect(state.handle(notice(IN_MOVED_FROM, "b", cookie: 8), now: now) == [.departed("/r/b")])
        let later = now + .milliseconds(50)
        #expect(state.expire(now: later) == [])
        let second = notice(IN_MOVED_TO, "c", watch: 2, cookie: 7)
        #expect(state.handle(second, now: later) == [.arrived("/r/d/c", from: "/r/a")])
        #expect(state.handle(second, now: later) == [.arrived("/r/d/c", from: nil)])
        #expect(state.expire(now: now + .seconds(1)) == [])
        #expect(state.nextExpiry == nil)
    }

    @Test("a directory that moves keeps its watches, under its new path")
    func directory() {
        var state = state()
        #expect(state.handle(notice(IN_MOVED_FROM | IN_ISDIR, "d", cookie: 7), now: now) == [])
        let moved = state.handle(notice(IN_MOVED_TO | IN_ISDIR, "n", cookie: 7), now: now)
        #expect(moved == [.directoryMoved("/r/n", from: "/r/d")])
        #expect(state.handle(notice(IN_MODIFY, "f", watch: 3), now: now) == [.touched("/r/n/e/f")])
        #expect(state.tree.watch(at: "/r/d") == nil)
    }

    @Test("a directory that could not be watched is tried again when its rights change")
    func rights() {
        var state = state()
        #expect(state.handle(notice(IN_ATTRIB | IN_ISDIR, "closed"), now: now) == [.directoryAppeared("/r/closed")])
        #expect(state.handle(notice(IN_ATTRIB | IN_ISDIR, "d"), now: now) == [])
    }

    @Test("a directory whose second half does not come has left, and its watches with it")
    func vanished() throws {
        var state = state()
        _ = state.handle(notice(IN_MOVED_FROM | IN_ISDIR, "d", cookie: 7), now: now)
        let actions = state.expire(now: try #require(state.nextExpiry))
        guard case .directoryVanished("/r/d", let watches) = actions.first else {
            Issue.record("\(actions)")
            return
        }
        #expect(Set(watches) == [2, 3])
        #expect(state.tree.count == 1)
    }

    @Test("an overflow forgets what it waited for")
    func overflow() {
        var state = state()
        _ = state.handle(notice(IN_MOVED_FROM, "a", cookie: 7), now: now)
        #expect(state.handle(WatchNotice(watch: -1, mask: UInt32(IN_Q_OVERFLOW)), now: now) == [.overflowed])
        #expect(state.nextExpiry == nil)
    }

    @Test("a watch that the kernel dropped is forgotten, one that took its place is not")
    func ignored() {
        var state = state()
        state.tree.insert(4, at: "/r/d")
        #expect(state.handle(WatchNotice(watch: 2, mask: UInt32(IN_IGNORED)), now: now) == [.selfLost("/r/d")])
        #expect(state.tree.watch(at: "/r/d") == 4)
        #expect(state.tree.path(of: 2) == nil)
    }

    @Test("a watch has one path, the newest")
    func tree() {
        var tree = WatchTree()
        tree.insert(1, at: "/a")
        tree.insert(1, at: "/b")
        #expect(tree.watch(at: "/a") == nil)
        tree.insert(2, at: "/b/c")
        tree.insert(3, at: "/bc")
        tree.rename("/b", to: "/x")
        #expect(tree.path(of: 2) == "/x/c")
        #expect(tree.path(of: 3) == "/bc")
        #expect(Set(tree.removeTree("/x")) == [1, 2])
    }

    @Test("records are read as the kernel lays them out")
    func decoding() {
        func record(_ watch: Int32, _ mask: Int32, _ cookie: UInt32, _ name: [UInt8]) -> [UInt8] {
            var bytes: [UInt8] = []
            for word in [UInt32(bitPattern: watch), UInt32(bitPattern: mask), cookie, UInt32(name.count)] {
                withUnsafeBytes(of: word) { bytes += $0 }
            }
            return bytes + name
        }
        let bytes =
            record(-1, IN_Q_OVERFLOW, 0, []) + record(5, IN_CREATE, 0, Array("é\0\0".utf8))
            + record(6, IN_MOVED_TO, 9, [0x61, 0xff, 0, 0]) + record(7, IN_CREATE, 0, [0x61])
        let notices = bytes.dropLast().withUnsafeBytes { WatchNotice.decode($0) }
        #expect(
            notices == [
                WatchNotice(watch: -1, mask: UInt32(IN_Q_OVERFLOW)),
                WatchNotice(watch: 5, mask: UInt32(IN_CREATE), name: .text("é")),
                WatchNotice(watch: 6, mask: UInt32(IN_MOVED_TO), cookie: 9, name: .unreadable),
            ])
    }
}
