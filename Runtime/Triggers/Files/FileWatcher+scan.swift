import Logging
import Storage

extension FileWatcher {
    /// The files of a trigger as they are. Each directory is watched before it is read, so that nothing falls between.
    func scan(_ id: Int) -> [String: FileStamp] {
        guard let folder = watched[id], let root = folder.root else { return [:] }
        var found: [String: FileStamp] = [:]
        let wasLimited = folder.limit != nil
        watched[id]?.limit = nil
        walk(root.path, for: [id]) { _, name, path in
            if folder.filter.matches(name) { found[name] = FolderAccess.stamp(of: path) }
        }
        if wasLimited, watched[id]?.limit == nil {
            logger.info("all directories are watched now", metadata: folder.watch.metadata)
        }
        return found
    }

    /// A directory is new here: whatever is in it may be new too.
    func enter(_ directory: String) {
        let now = ContinuousClock.now
        walk(directory, for: Array(watched.keys)) { id, name, _ in
            self.watched[id]?.withSettler { $0.touch(name, now: now) }
        }
    }

    /// Watches `directory` and what is below it, and visits the files with their names relative to each trigger's root.
    private func walk(_ directory: String, for ids: [Int], visit: (_ id: Int, _ name: String, _ path: String) -> Void) {
        var directories = [directory]
        while !exchange.isStopped, let current = directories.popLast() {
            let interested = ids.filter { watched[$0]?.mayMatch(below: current) == true }
            guard !interested.isEmpty, watch(current, for: interested) else { continue }
            guard let (entries, unreadable) = FolderAccess.list(current) else { continue }
            if unreadable { reportUnreadable(current) }
            for entry in entries {
                let path = current == "/" ? "/\(entry.name)" : "\(current)/\(entry.name)"
                if entry.isDirectory {
                    directories.append(path)
                } else {
                    for id in interested { if let name = watched[id]?.relative(path) { visit(id, name, path) } }
                }
            }
        }
    }

    /// Returns whether there is something to read.
    private func watch(_ directory: String, for ids: [Int]) -> Bool {
        do throws(Inotify.Failure) {
            if inotify == nil { inotify = try Inotify() }
            if let inotify { state.tree.insert(try inotify.watch(directory), at: directory) }
            return true
        } catch {
            if let limit = WatchLimit(error) {
                for id in ids { reportLimit(limit, of: id) }
                return true
            }
            if error != .gone, reported.insert(directory).inserted {
                logger.warning(
                    "cannot watch a directory", metadata: ["directory": "\(directory)", "error": "\(error)"])
            }
            return false
        }
    }

    /// Goes on without the watch: the directories are compared with the index from time to time.
    private func reportLimit(_ limit: WatchLimit, of id: Int) {
        guard let folder = watched[id], folder.limit == nil else { return }
        watched[id]?.limit = limit
        watched[id]?.rescanAt = .now + Self.limitedInterval
        guard folder.reportedLimit != limit else { return }
        watched[id]?.reportedLimit = limit
        logger.error(
            "\(limit.message(for: folder.watch, interval: Self.limitedInterval))", metadata: folder.watch.metadata)
    }

    func reportUnreadable(_ directory: String) {
        guard reported.count < 1000, reported.insert(directory).inserted else { return }
        logger.warning("skipping file names that are not UTF-8", metadata: ["directory": "\(directory)"])
    }
}
