import Events
import Glibc
import Logging
import Manifests
import Storage

/// One trigger as the watching thread knows it. Only that thread has it.
final class WatchedFolder {
    let id: Int
    let watch: FileWatch
    let filter: FileFilter
    /// `nil` while the folder does not exist.
    var root: FolderAccess.Root?
    /// `nil` while the index is being read.
    var settler: FileSettler?
    /// A batch is on its way into storage; the next one waits.
    var isRecording = false
    var rescanAt: ContinuousClock.Instant?
    /// Some directory has no watch; the folder is looked at from time to time.
    var isBlind = false
    var reportedLimit: WatchLimit?

    init(id: Int, watch: FileWatch) {
        self.id = id
        self.watch = watch
        filter = watch.filter
    }

    var triggerState: FileTriggerState {
        if settler == nil { return .loading }
        if root == nil { return .waitingForFolder }
        return isBlind ? .limited : .watching
    }

    var nextRescan: ContinuousClock.Instant? { settler == nil ? nil : rescanAt }

    var nextDue: ContinuousClock.Instant? { isRecording ? nil : settler?.nextDue }

    /// The name that the trigger has for an absolute path; `nil` for one that is not below its folder.
    func relative(_ path: String) -> FilePath? {
        prefix.flatMap { ExactText(path).dropping(prefix: $0) }
    }

    /// What all paths below its folder begin with.
    private var prefix: ExactText? { root.map { $0.path == "/" ? "/" : "\($0.path)/" } }

    func mayMatch(below directory: String) -> Bool {
        if let root, ExactText(root.path) == ExactText(directory) { return true }
        return relative(directory).map { filter.mayMatch(below: $0.text) } ?? false
    }

    /// Whether one of the two trees is part of the other.
    func overlaps(_ path: String) -> Bool {
        guard let root, let prefix else { return false }
        let (inner, outer) = (ExactText(root.path), ExactText(path))
        return inner == outer || inner.hasPrefix("\(path)/") || outer.hasPrefix(prefix)
    }

    func settle(limit: Int) -> FileBatch {
        let folder = root?.path
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        let wall = Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
        let batch = settler?.settle(now: .now, wall: wall, limit: limit) { name, known in
            folder.flatMap { FolderAccess.stamp(of: "\($0)/\(name)", known: known) }
        }
        return batch ?? FileBatch()
    }
}

extension FileWatch {
    var metadata: Logger.Metadata {
        ["function": "\(function)", "trigger": "\(key)", "folder": "\(trigger.watch)"]
    }

    func invocations(of changes: [FileChange], noticed: WallTime) -> [NewInvocation] {
        changes.flatMap { $0.events(of: trigger.events) }.map { change in
            NewInvocation(
                function: function, kind: .file, trigger: key,
                event: change.event(source: source, folder: trigger.watch, noticed: noticed), due: noticed)
        }
    }
}

/// What the first scan of a run makes of the index that an earlier run has left.
enum FirstScan {
    /// - Parameter found: what is there; empty when the folder does not exist, which then has no *existing* files.
    /// - Returns: the settler, and what is to be recorded first.
    static func outcome(
        of watch: FileWatch, stored: [FilePath: FileStamp]?, found: [FilePath: FileStamp], now: ContinuousClock.Instant
    ) -> (FileSettler, change: [FilePath: FileStamp?]?) {
        var index = stored ?? [:]
        let mark = index.removeValue(forKey: FileWatch.markPath)
        if mark == watch.mark { return (settler(index), nil) }
        // One transaction, however large: half an index would make news of the other half.
        let start = watch.trigger.existing == .ignore ? found : [:]
        var change = index.mapValues { _ in FileStamp?.none }
        for (path, stamp) in start { change.updateValue(stamp, forKey: path) }
        change.updateValue(watch.mark, forKey: FileWatch.markPath)
        return (settler(start), change)

        func settler(_ index: [FilePath: FileStamp]) -> FileSettler {
            FileSettler(filter: watch.filter, settle: watch.trigger.settle, index: index, now: now)
        }
    }
}
