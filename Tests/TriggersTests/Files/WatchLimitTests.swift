import Glibc
import Manifests
import Testing
import Triggers

@Suite("Watch limits") struct WatchLimitTests {
    @Test(
        "a limit that is reached is told with its setting, its value, the remedy and the function",
        arguments: [(ENOSPC, "max_user_watches"), (EMFILE, "max_user_instances")])
    func message(code: Int32, setting: String) throws {
        let watch = FileWatch(function: "orders", index: 0, trigger: FileTrigger(watch: "/srv/inbox"))
        let text = try #require(WatchLimit(errno: code)).message(for: watch, interval: .seconds(30))
        let value = try readable("/proc/sys/fs/inotify/\(setting)")
        #expect(text.contains("fs.inotify.\(setting) is \(value). Raise it: 'sysctl fs.inotify.\(setting)="))
        #expect(text.contains("function 'orders' sees changes below /srv/inbox only every 30 s"))
    }

    @Test("other errors are no limit") func others() {
        #expect(WatchLimit(errno: ENOENT) == nil)
        #expect(WatchLimit(errno: EACCES) == nil)
    }

    private func readable(_ path: String) throws -> Int {
        let file = try #require(fopen(path, "r"))
        defer { fclose(file) }
        var line = [UInt8](repeating: 0, count: 32)
        let count = fread(&line, 1, 32, file)
        return try #require(Int(String(decoding: line.prefix(count).prefix { $0 > 32 }, as: UTF8.self)))
    }
}
