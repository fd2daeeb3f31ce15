import Events
import Glibc
import Logging
import Manifests
import Storage

/// Watches, scans, settles: the shell around `WatchState` and `FileSettler`, confined to one thread.
final class FileWatcher {
    /// How often it is checked that the watched folders are (still) there.
    static let rootInterval: Duration = .seconds(1)
    /// How often changes are looked for where the kernel refuses a watch.
    static let limitedInterval: Duration = .seconds(30)
    /// After an overflow the rescan waits this long, since more of them tend to follow.
    static let overflowDelay: Duration = .milliseconds(100)
    /// Changes in one transaction.
    static let batchLimit = 500

    let exchange: FileExchange
    let logger: Logger
    var inotify: Inotify?
    var state = WatchState()
    var watched: [Int: WatchedFolder] = [:]
    private var lastID = 0
    private var nextRootCheck = ContinuousClock.now
    /// Directories that were complained about, so that each is named once.
    var reported: Set<String> = []

    init(exchange: FileExchange, logger: Logger) {
        self.exchange = exchange
        self.logger = logger
    }

    func run() {
        while !exchange.isStopped {
            for command in exchange.takeCommands() { apply(command) }
            drain()
            for action in state.expire(now: .now) { perform(action) }
            checkRoots()
            rescanDue()
            settle()
            publish()
            exchange.wait(for: inotify?.descriptor ?? -1, milliseconds: millisecondsToWait())
        }
    }

    private func apply(_ command: FileExchange.Command) {
        switch command {
        case .watch(let watches): replace(with: watches)
        case .loaded(let id, let index): establish(id, index)
        case .recorded(let id): watched[id]?.isRecording = false
        case .rescan: for id in watched.keys { watched[id]?.rescanAt = .now }
        }
    }

    // MARK: The running set

    private func replace(with watches: [FileWatch]) {
        for (id, folder) in watched where !watches.contains(folder.watch) {
            watched[id] = nil
            if let root = folder.root { unwatch(root.path) }
        }
        let known = watched.values.map(\.watch)
        for watch in watches where !known.contains(watch) {
            lastID += 1
            watched[lastID] = WatchedFolder(watch: watch)
            exchange.post(.load(lastID, watch))
        }
    }

    /// Gives the watches of a tree back. Other triggers that need some of them watch again in their next scan.
    private func unwatch(_ path: String) {
        for watch in state.tree.removeTree(path) { inotify?.remove(watch) }
        for (id, folder) in watched where folder.overlaps(path) { watched[id]?.rescanAt = .now }
    }

    /// The index of the trigger has been read: the first scan of this run.
    private func establish(_ id: Int, _ stored: [String: FileStamp]?) {
        guard var folder = watched[id], folder.settler == nil else { return }
        folder.root = FolderAccess.root(at: folder.watch.trigger.watch)
        watched[id] = folder
        if folder.root == nil { logMissing(folder.watch) }
        let found = scan(id)
        let (settler, change) = FirstScan.outcome(of: folder.watch, stored: stored, found: found, now: .now)
        watched[id]?.settler = settler
        if let change { record(id, index: change, invocations: []) }
        if folder.root != nil { watched[id]?.settler?.reconcile(found: found, now: .now) }
    }

    // MARK: Watched folders come and go

    private func checkRoots() {
        guard nextRootCheck <= .now else { return }
        nextRootCheck = .now + Self.rootInterval
        for id in watched.keys.sorted() { checkRoot(id) }
    }

    private func checkRoot(_ id: Int) {
        guard let folder = watched[id], folder.settler != nil else { return }
        let root = FolderAccess.root(at: folder.watch.trigger.watch)
        guard root != folder.root else { return }
        if let old = folder.root {
            watched[id]?.root = nil
            watched[id]?.settler?.abandon()
            unwatch(old.path)
            if root == nil { logMissing(folder.watch) }
        }
        guard let root else { return }
        watched[id]?.root = root
        watched[id]?.rescanAt = .now
        logger.info("the watched folder is there", metadata: folder.watch.metadata)
    }

    private func logMissing(_ watch: FileWatch) {
        logger.warning("the watched folder does not exist; waiting for it", metadata: watch.metadata)
    }

    // MARK: Notices

    /// A bounded number of reads, so that what has settled is not held up by a flood.
    private func drain() {
        for _ in 0..<16 {
            guard let notices = inotify?.read(), !notices.isEmpty else { return }
            let now = ContinuousClock.now
            for notice in notices {
                for action in state.handle(notice, now: now) { perform(action) }
            }
        }
    }

    private func perform(_ action: WatchState.Action) {
        let now = ContinuousClock.now
        switch action {
        case .touched(let path): each(path) { $0.touch($1, now: now) }
        case .deleted(let path): each(path) { $0.delete($1, now: now) }
        case .departed(let path): each(path) { $0.depart($1, now: now) }
        case .arrived(let path, let old): arrive(path, from: old, now: now)
        case .directoryAppeared(let path): enter(path)
        case .directoryMoved(let path, let old):
            relocate(path, from: old, now: now)
            enter(path)
        case .directoryVanished(let path, let watches):
            for watch in watches { inotify?.remove(watch) }
            each(path) { $0.vanish($1, now: now) }
        case .selfLost(let path): for (id, folder) in watched where folder.root?.path == path { checkRoot(id) }
        case .overflowed: overflow(now)
        case .unreadable(let directory): reportUnreadable(directory)
        }
    }

    /// Calls `body` for each trigger that watches above `path`, with the path as it is named there.
    private func each(_ path: String, _ body: (inout FileSettler, String) -> Void) {
        for (id, folder) in watched {
            if let relative = folder.relative(path) { watched[id]?.withSettler { body(&$0, relative) } }
        }
    }

    private func arrive(_ path: String, from old: String?, now: ContinuousClock.Instant) {
        for (id, folder) in watched {
            guard let name = folder.relative(path) else { continue }
            let oldName = old.flatMap(folder.relative)
            watched[id]?.withSettler { settler in
                if let oldName { settler.arrive(name, from: oldName, now: now) } else { settler.touch(name, now: now) }
            }
        }
    }

    /// A trigger may see both ends of the move, or only one.
    private func relocate(_ path: String, from old: String, now: ContinuousClock.Instant) {
        for (id, folder) in watched {
            guard let oldName = folder.relative(old) else { continue }
            let name = folder.relative(path)
            watched[id]?.withSettler { settler in
                if let name {
                    settler.relocate(name, from: oldName, now: now)
                } else {
                    settler.vanish(oldName, now: now)
                }
            }
        }
    }

    private func overflow(_ now: ContinuousClock.Instant) {
        if !watched.values.contains(where: { $0.rescanAt != nil }) {
            logger.warning(
                "more file changes at once than fs.inotify.max_queued_events; comparing the folders with their index")
        }
        for id in watched.keys { watched[id]?.rescanAt = now + Self.overflowDelay }
    }

    private func rescanDue() {
        for (id, folder) in watched where folder.settler != nil {
            guard let due = folder.rescanAt, due <= .now else { continue }
            watched[id]?.rescanAt = nil
            guard folder.root != nil else { continue }
            let found = scan(id)
            // A folder that went away during the scan says nothing about its files.
            guard FolderAccess.root(at: folder.watch.trigger.watch) == folder.root else { continue }
            watched[id]?.settler?.reconcile(found: found, now: .now)
        }
    }

    // MARK: What is quiet

    private func settle() {
        for id in watched.keys.sorted() {
            guard let due = watched[id]?.nextDue, due <= .now else { continue }
            checkRoot(id)
            let batch = watched[id]?.settle(limit: Self.batchLimit) ?? FileBatch()
            if !batch.isEmpty, let watch = watched[id]?.watch {
                record(id, index: batch.index, invocations: watch.invocations(of: batch.changes, noticed: .now()))
            }
        }
    }

    private func record(_ id: Int, index: [String: FileStamp?], invocations: [NewInvocation]) {
        guard let watch = watched[id]?.watch else { return }
        watched[id]?.isRecording = true
        exchange.post(.record(id, watch, index: index, invocations: invocations))
    }

    private func publish() {
        let states = Dictionary(uniqueKeysWithValues: watched.values.map { ($0.watch.key, $0.triggerState) })
        if exchange.states != states { exchange.states = states }
    }

    private func millisecondsToWait() -> Int32 {
        guard !watched.isEmpty else { return -1 }
        let next = watched.values.flatMap { [$0.nextDue, $0.rescanAt] } + [state.nextExpiry, nextRootCheck]
        let wait = (next.compactMap(\.self).min() ?? nextRootCheck) - .now
        return Int32(clamping: max(0, wait.milliseconds + 1))
    }
}
