import Events
import Logging
import Storage

extension FileWatcher {
    /// The files of a trigger as they are. Each directory is watched before it is read, so that nothing falls between.
    func scan(_ folder: WatchedFolder) -> [FilePath: FileStamp] {
        guard let root = folder.root else { return [:] }
        var found: [FilePath: FileStamp] = [:]
        folder.isBlind = false
        walk(root.path, for: [folder]) { _, name, path in
            if folder.filter.matches(name.text) {
                found[name] = FolderAccess.stamp(of: path, known: folder.settler?.index[name])
            }
        }
        if !folder.isBlind, folder.reportedLimit != nil {
            folder.reportedLimit = nil
            logger.info("all directories are watched now", metadata: folder.watch.metadata)
        }
        return found
    }

    /// A directory is new here: whatever is in it may be new too.
    func enter(_ directory: String) {
        let now = ContinuousClock.now
        walk(directory, for: Array(watched.values)) { folder, name, _ in folder.settler?.touch(name, now: now) }
    }

    /// Watches `directory` and what is below it, and visits the files with their names relative to each trigger's root.
    private func walk(
        _ directory: String, for folders: [WatchedFolder],
        visit: (_ folder: WatchedFolder, _ name: FilePath, _ path: String) -> Void
    ) {
        var directories = [directory]
        while !exchange.isStopped, let current = directories.popLast() {
            let interested = folders.filter { $0.mayMatch(below: current) }
            guard !interested.isEmpty, watch(current, for: interested) else { continue }
            guard let (entries, unreadable) = FolderAccess.list(current) else { continue }
            if unreadable { reportUnreadable(current) }
            for entry in entries {
                let path = current == "/" ? "/\(entry.name)" : "\(current)/\(entry.name)"
                if entry.isDirectory {
                    directories.append(path)
                } else {
                    for folder in interested { if let name = folder.relative(path) { visit(folder, name, path) } }
                }
            }
        }
    }

    /// Returns whether there is something to read.
    private func watch(_ directory: String, for folders: [WatchedFolder]) -> Bool {
        do throws(Inotify.Failure) {
            if inotify == nil { inotify = try Inotify() }
            if let inotify { state.tree.insert(try inotify.watch(directory), at: directory) }
            return true
        } catch {
            let limit = WatchLimit(errno: error.code)
            for folder in folders where limit != nil || (!error.isAbsence && folder.root?.path == directory) {
                lookFromTimeToTime(folder, limit)
            }
            if limit == nil, !error.isAbsence, isFirstReport(on: directory) {
                logger.warning(
                    "cannot watch a directory", metadata: ["directory": "\(directory)", "error": "\(error)"])
            }
            return limit != nil
        }
    }

    private func lookFromTimeToTime(_ folder: WatchedFolder, _ limit: WatchLimit?) {
        if !folder.isBlind { folder.rescanAt = .now + Self.limitedInterval }
        folder.isBlind = true
        guard let limit, folder.reportedLimit != limit else { return }
        folder.reportedLimit = limit
        logger.error(
            "\(limit.message(for: folder.watch, interval: Self.limitedInterval))", metadata: folder.watch.metadata)
    }

    func reportUnreadable(_ directory: String) {
        guard isFirstReport(on: directory) else { return }
        logger.warning("skipping file names that are not UTF-8", metadata: ["directory": "\(directory)"])
    }
}
