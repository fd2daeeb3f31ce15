import Events

/// Which directory each inotify watch stands for. Paths are absolute.
///
/// The kernel reports a watch by a number that stays with the directory wherever it is moved; what it is called now is
/// only known here, and may be late: paths are true again once the notices of the renames have been read.
package struct WatchTree: Sendable {
    private var paths: [Int32: ExactText] = [:]
    private var watches: [ExactText: Int32] = [:]

    package init() {}

    package var count: Int { paths.count }

    package func path(of watch: Int32) -> String? { paths[watch]?.text }

    package func watch(at path: String) -> Int32? { watches[ExactText(path)] }

    /// `watch` is the directory at `path`, whatever was thought of either before.
    package mutating func insert(_ watch: Int32, at path: String) {
        let path = ExactText(path)
        if let old = paths[watch], old != path, watches[old] == watch { watches[old] = nil }
        paths[watch] = path
        watches[path] = watch
    }

    /// The kernel has dropped `watch`.
    package mutating func remove(_ watch: Int32) {
        guard let path = paths.removeValue(forKey: watch), watches[path] == watch else { return }
        watches[path] = nil
    }

    /// The directory `old` is at `new` now; so is everything below it.
    package mutating func rename(_ old: String, to new: String) {
        for (watch, rest) in below(old) { insert(watch, at: new + rest) }
    }

    /// Forgets `path` and everything below it. Returns the watches to give back to the kernel.
    package mutating func removeTree(_ path: String) -> [Int32] {
        let gone = below(path).map(\.watch)
        for watch in gone { remove(watch) }
        return gone
    }

    /// The watches of `path` and below, with what follows `path` in their own.
    private func below(_ path: String) -> [(watch: Int32, rest: String)] {
        let path = ExactText(path)
        return paths.compactMap { watch, found in
            guard let rest = found.dropping(prefix: path), rest.isEmpty || rest.hasPrefix("/") else { return nil }
            return (watch, rest.text)
        }
    }
}
