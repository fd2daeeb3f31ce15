import Glibc
import Manifests

/// A limit of inotify that was reached, in words that tell what to do.
package struct WatchLimit: Equatable {
    /// Below `/proc/sys/fs/inotify/`.
    var setting: String
    var what: String
    /// A value that is enough for most.
    var advised: Int

    /// The limit that an error of inotify_init1(2) or inotify_add_watch(2) stands for.
    package init?(errno code: Int32) {
        switch code {
        case ENOSPC: self.init(setting: "max_user_watches", what: "directories watched", advised: 1_048_576)
        case EMFILE, ENFILE: self.init(setting: "max_user_instances", what: "inotify instances", advised: 1024)
        default: return nil
        }
    }

    private init(setting: String, what: String, advised: Int) {
        self.setting = setting
        self.what = what
        self.advised = advised
    }

    /// - Parameter interval: how often changes are looked for meanwhile.
    package func message(for watch: FileWatch, interval: Duration) -> String {
        let name = "fs.inotify.\(setting)"
        let value = Self.value(of: "/proc/sys/fs/inotify/\(setting)") ?? "unknown"
        return """
            the limit of \(what) is reached: \(name) is \(value). Raise it: 'sysctl \(name)=\(advised)', and the same \
            line in /etc/sysctl.d/ to keep it. Until then function '\(watch.function)' sees changes below \
            \(watch.trigger.watch) only every \(interval.components.seconds) s
            """
    }

    static func value(of path: String) -> String? {
        guard let file = fopen(path, "re") else { return nil }
        defer { fclose(file) }
        var line = [CChar](repeating: 0, count: 64)
        guard fgets(&line, 64, file) != nil else { return nil }
        return String(decoding: line.prefix { $0 > 32 }.map(UInt8.init), as: UTF8.self)
    }
}
