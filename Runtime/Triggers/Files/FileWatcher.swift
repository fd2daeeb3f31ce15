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
    private var reported: Set<String> = []

    init(exchange: FileExchange, logger: Logger) {
        self.exchange = exchange
        self.logger = logger
    }

    func run() {
        while !exchange.isStopped {
            for command in exchange.takeCommands() { apply(command) }
            drain()
            for action in state.expire(now: .now) { perform(action, now: .now) }
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
        case .loaded(let id, let index): if let folder = watched[id] { establish(folder, index) }
        case .recorded(let id): watched[id]?.isRecording = false
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
            watched[lastID] = WatchedFolder(id: lastID, watch: watch)
            exchange.post(.load(lastID, watch))
        }
    }

    /// Gives the watches of a tree back. Other triggers that need some of them watch again in their next scan.
    private func unwatch(_ path: String) {
        for watch in state.tree.removeTree(path) { inotify?.remove(watch) }
        for folder in watched.values where folder.overlaps(path) { folder.rescanAt = .now }
    }

    /// The index of the trigger has been read: the first scan of this run.
    private func establish(_ folder: WatchedFolder, _ stored: [FilePath: FileStamp]?) {
        guard folder.settler == nil else { return }
        folder.root = FolderAccess.root(at: folder.watch.trigger.watch)
        let found = scan(folder)
        if folder.root == nil {
            logMissing(folder.watch)
        } else {
            logger.info("watching \(found.count) files", metadata: folder.watch.metadata)
        }
        let (settler, change) = FirstScan.outcome(of: folder.watch, stored: stored, found: found, now: .now)
        folder.settler = settler
        if let change { record(folder, index: change, invocations: []) }
        if folder.root != nil { folder.settler?.reconcile(found: found, now: .now) }
    }

    // MARK: Watched folders come and go

    private func checkRoots() {
        guard nextRootCheck <= .now else { return }
        nextRootCheck = .now + Self.rootInterval
        for folder in watched.values { checkRoot(folder) }
    }

    /// A folder that was deleted and made again may have the same inode; its watch is gone all the same.
    private func checkRoot(_ folder: WatchedFolder) {
        guard folder.settler != nil else { return }
        let root = FolderAccess.root(at: folder.watch.trigger.watch)
        let isWatched = root.map { state.tree.watch(at: $0.path) != nil || folder.isBlind } ?? true
        guard root != folder.root || !isWatched else { return }
        if let old = folder.root {
            folder.root = nil
            folder.settler?.abandon()
            unwatch(old.path)
            if root == nil { logMissing(folder.watch) }
        }
        guard let root else { return }
        folder.root = root
        folder.rescanAt = .now
        logger.info("the watched folder is there", metadata: folder.watch.metadata)
    }

    private func logMissing(_ watch: FileWatch) {
        logger.warning("the watched folder does not exist, or is no folder; waiting for it", metadata: watch.metadata)
    }

    // MARK: Notices

    /// A bounded number of reads, so that what has settled is not held up by a flood.
    private func drain() {
        for _ in 0..<16 {
            guard let notices = inotify?.read(), !notices.isEmpty else { return }
            let now = ContinuousClock.now
            for notice in notices {
                for action in state.handle(notice, now: now) { perform(action, now: now) }
            }
        }
    }

    private func perform(_ action: WatchState.Action, now: ContinuousClock.Instant) {
        switch action {
        case .touched(let path): each(path) { $0.settler?.touch($1, now: now) }
        case .deleted(let path): each(path) { $0.settler?.delete($1, now: now) }
        case .departed(let path): each(path) { $0.settler?.depart($1, now: now) }
        case .arrived(let path, let old): arrive(path, from: old, now: now)
        case .directoryAppeared(let path): enter(path)
        case .directoryMoved(let path, let old):
            relocate(path, from: old, now: now)
            enter(path)
        case .directoryVanished(let path, let watches):
            for watch in watches { inotify?.remove(watch) }
            each(path) { $0.settler?.vanish($1, now: now) }
            // Another may have come to the same place meanwhile, whose watches went with it.
            enter(path)
        case .selfLost(let path): for folder in watched.values where folder.root?.path == path { checkRoot(folder) }
        case .overflowed: overflow(now)
        case .unreadable(let directory): reportUnreadable(directory)
        }
    }

    /// Calls `body` for each trigger that watches above `path`, with the path as it is named there.
    private func each(_ path: String, _ body: (WatchedFolder, FilePath) -> Void) {
        for folder in watched.values {
            if let name = folder.relative(path) { body(folder, name) }
        }
    }

    private func arrive(_ path: String, from old: String?, now: ContinuousClock.Instant) {
        each(path) { folder, name in
            if let oldName = old.flatMap(folder.relative) {
                folder.settler?.arrive(name, from: oldName, now: now)
            } else {
                folder.settler?.touch(name, now: now)
            }
        }
    }

    /// A trigger may see both ends of the move, or only one.
    private func relocate(_ path: String, from old: String, now: ContinuousClock.Instant) {
        each(old) { folder, oldName in
            if let name = folder.relative(path) {
                folder.settler?.relocate(name, from: oldName, now: now)
            } else {
                folder.settler?.vanish(oldName, now: now)
            }
        }
    }

    private func overflow(_ now: ContinuousClock.Instant) {
        if !watched.values.contains(where: { $0.rescanAt != nil }) {
            logger.warning(
                "more file changes at once than fs.inotify.max_queued_events; comparing the folders with their index")
        }
        for folder in watched.values { folder.rescanAt = now + Self.overflowDelay }
    }

    private func rescanDue() {
        for folder in watched.values {
            guard let due = folder.nextRescan, due <= .now else { continue }
            folder.rescanAt = nil
            guard folder.root != nil else { continue }
            let found = scan(folder)
            // A folder that went away during the scan says nothing about its files.
            guard FolderAccess.root(at: folder.watch.trigger.watch) == folder.root else { continue }
            folder.settler?.reconcile(found: found, now: .now)
        }
    }

    // MARK: What is quiet

    private func settle() {
        for folder in watched.values {
            guard let due = folder.nextDue, due <= .now else { continue }
            checkRoot(folder)
            let batch = folder.settle(limit: min(Self.batchLimit, folder.watch.queue))
            if !batch.isEmpty {
                let invocations = folder.watch.invocations(of: batch.changes, noticed: .now())
                record(folder, index: batch.index, invocations: invocations)
            }
        }
    }

    private func record(_ folder: WatchedFolder, index: [FilePath: FileStamp?], invocations: [NewInvocation]) {
        folder.isRecording = true
        exchange.post(.record(folder.id, folder.watch, index: index, invocations: invocations))
    }

    private func publish() {
        let states = Dictionary(watched.values.map { ($0.watch.key, $0.triggerState) }) { $1 }
        if exchange.states != states { exchange.states = states }
    }

    /// Whether `directory` is complained about for the first time.
    func isFirstReport(on directory: String) -> Bool { reported.count < 1000 && reported.insert(directory).inserted }

    private func millisecondsToWait() -> Int32 {
        guard !watched.isEmpty else { return -1 }
        let next = watched.values.flatMap { [$0.nextDue, $0.nextRescan] } + [state.nextExpiry, nextRootCheck]
        let wait = (next.compactMap(\.self).min() ?? nextRootCheck) - .now
        return Int32(clamping: max(0, wait.milliseconds + 1))
    }
}
