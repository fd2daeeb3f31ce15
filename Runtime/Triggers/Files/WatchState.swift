import Glibc

/// Turns inotify's notices into what they mean for paths. Paths are absolute.
package struct WatchState: Sendable {
    package enum Action: Sendable, Hashable {
        /// Something may have happened to a file.
        case touched(String)
        case deleted(String)
        /// A file was renamed; where to is not known yet.
        case departed(String)
        /// The other half of a rename; without `from`, it came from where nobody watches.
        case arrived(String, from: String?)
        /// A directory is there that has no watch yet.
        case directoryAppeared(String)
        case directoryMoved(String, from: String)
        /// A directory was moved to where nobody watches; `watches` are to be given back.
        case directoryVanished(String, watches: [Int32])
        /// The watched directory itself was moved, deleted or unmounted.
        case selfLost(String)
        /// Notices were lost.
        case overflowed
        /// A name in the directory is not UTF-8.
        case unreadable(String)
    }

    private struct Half: Sendable {
        var path: String
        var isDirectory: Bool
        var until: ContinuousClock.Instant
    }

    package var tree = WatchTree()
    /// First halves of renames, by cookie, that wait for the second.
    private var halves: [UInt32: Half] = [:]

    package init() {}

    package mutating func handle(_ notice: WatchNotice, now: ContinuousClock.Instant) -> [Action] {
        if notice.has(IN_Q_OVERFLOW) {
            halves = [:]
            return [.overflowed]
        }
        guard let directory = tree.path(of: notice.watch) else { return [] }
        if notice.has(IN_IGNORED) {
            tree.remove(notice.watch)
            return [.selfLost(directory)]
        }
        switch notice.name {
        case .none: return notice.has(IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT) ? [.selfLost(directory)] : []
        case .unreadable: return [.unreadable(directory)]
        case .text(let name):
            let path = directory == "/" ? "/\(name)" : "\(directory)/\(name)"
            return notice.has(IN_ISDIR)
                ? directoryActions(notice, path, now: now) : fileActions(notice, path, now: now)
        }
    }

    private mutating func fileActions(
        _ notice: WatchNotice, _ path: String, now: ContinuousClock.Instant
    ) -> [Action] {
        if notice.has(IN_MOVED_FROM) {
            hold(notice, path, isDirectory: false, now: now)
            return [.departed(path)]
        }
        if notice.has(IN_MOVED_TO) { return [.arrived(path, from: halves.removeValue(forKey: notice.cookie)?.path)] }
        return notice.has(IN_DELETE) ? [.deleted(path)] : [.touched(path)]
    }

    /// The files of a deleted directory have been unlinked before it, with notices of their own.
    private mutating func directoryActions(
        _ notice: WatchNotice, _ path: String, now: ContinuousClock.Instant
    ) -> [Action] {
        if notice.has(IN_MOVED_FROM) {
            hold(notice, path, isDirectory: true, now: now)
            return []
        }
        if notice.has(IN_MOVED_TO), let half = halves.removeValue(forKey: notice.cookie) {
            tree.rename(half.path, to: path)
            return [.directoryMoved(path, from: half.path)]
        }
        // One that could not be watched when it came can perhaps, now that its rights are others.
        let isOpened = notice.has(IN_ATTRIB) && tree.watch(at: path) == nil
        return isOpened || notice.has(IN_CREATE | IN_MOVED_TO) ? [.directoryAppeared(path)] : []
    }

    private mutating func hold(
        _ notice: WatchNotice, _ path: String, isDirectory: Bool, now: ContinuousClock.Instant
    ) {
        halves[notice.cookie] = Half(path: path, isDirectory: isDirectory, until: now + FileSettler.hold)
    }

    /// When `expire` has something to do next.
    package var nextExpiry: ContinuousClock.Instant? { halves.values.map(\.until).min() }

    /// Gives up on first halves whose second did not come: they were moved to where nobody watches.
    package mutating func expire(now: ContinuousClock.Instant) -> [Action] {
        guard let next = nextExpiry, next <= now else { return [] }
        let expired = halves.filter { $0.value.until <= now }
        for cookie in expired.keys { halves[cookie] = nil }
        return expired.values.filter(\.isDirectory).map { half in
            .directoryVanished(half.path, watches: tree.removeTree(half.path))
        }
    }
}
