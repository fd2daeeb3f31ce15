import Events
package import Storage

/// Decides what happened to the files of one trigger, once they are quiet.
///
/// Notices only say *look at this path*; what happened is the difference between the index and what is there when the
/// path has been quiet for `settle`. So it does not matter how many notices came, in which order, or by which way the
/// tools wrote: a file that came and went is nothing, one that was replaced is `modified`. Only for renames is there
/// more to know than the two states, and that is kept with the pending paths: who left, and where it arrived.
///
/// Memory is bounded by the number of paths that are known or not quiet yet.
package struct FileSettler: Sendable {
    /// How long one half of a rename waits for the other, which may come in a later read or be found by a scan.
    package static let hold: Duration = .milliseconds(100)

    /// What is known, by path: what the recorded index will be when all returned batches are recorded.
    package private(set) var index: [FilePath: FileStamp]
    private var pending: [FilePath: Pending] = [:]
    private var schedule: SettleSchedule
    /// The known files that a rename has taken away, by inode.
    private var departed: [UInt64: FilePath] = [:]
    private let filter: FileFilter
    private let settle: Duration

    private struct Pending: Sendable {
        var tick: Int64 = 0
        /// The known path that this file had before, by the cookie of a rename.
        var origin: FilePath?
        /// The path whose `origin` this is.
        var heir: FilePath?
        /// An unlink was seen; another file with the same inode is not this one.
        var deleted = false
        /// The stamp at the last look, when it was too young to trust.
        var seen: FileStamp?
    }

    package init(filter: FileFilter, settle: Duration, index: [FilePath: FileStamp], now: ContinuousClock.Instant) {
        self.filter = filter
        self.settle = settle
        self.index = index
        schedule = SettleSchedule(origin: now, settle: settle)
    }

    /// When there is something to settle; `nil` when all is quiet.
    package var nextDue: ContinuousClock.Instant? { schedule.nextDue }

    // MARK: Notices

    /// Something may have happened to `path`.
    package mutating func touch(_ path: FilePath, now: ContinuousClock.Instant) {
        change(path, due: now + settle) { $0.deleted = false }
    }

    /// `path` was unlinked.
    package mutating func delete(_ path: FilePath, now: ContinuousClock.Instant) {
        change(path, due: now + settle) { $0.deleted = true }
        if let stamp = index[path], departed[stamp.inode] == path { departed[stamp.inode] = nil }
    }

    /// `path` was renamed to something that is not known yet.
    package mutating func depart(_ path: FilePath, now: ContinuousClock.Instant) {
        change(path, due: now + settle + Self.hold) { $0.deleted = false }
        if pending[path] != nil, let stamp = index[path] { departed[stamp.inode] = path }
    }

    /// The file that was at `old` is at `path` now.
    package mutating func arrive(_ path: FilePath, from old: FilePath, now: ContinuousClock.Instant) {
        let origin = pending[old]?.origin ?? old
        touch(path, now: now)
        guard origin != path, pending[path] != nil, index[origin] != nil else { return }
        pending[path]?.origin = origin
        change(origin, due: now + settle + Self.hold) { $0.heir = path }
    }

    /// The directory `old` is at `directory` now, with everything in it.
    package mutating func relocate(_ directory: FilePath, from old: FilePath, now: ContinuousClock.Instant) {
        // What has arrived below the old name a moment ago is pending, but not known there.
        for path in Set(index.keys).union(pending.keys) {
            guard let rest = path.dropping(prefix: "\(old)/") else { continue }
            depart(path, now: now)
            arrive("\(directory)/\(rest)", from: path, now: now)
        }
    }

    /// The directory `directory` was moved to where nobody watches.
    package mutating func vanish(_ directory: FilePath, now: ContinuousClock.Instant) {
        for path in index.keys where path.hasPrefix("\(directory)/") { depart(path, now: now) }
    }

    /// Notices all differences between the index and `found`, the files of a scan.
    package mutating func reconcile(found: [FilePath: FileStamp], now: ContinuousClock.Instant) {
        for (path, stamp) in found where index[path] != stamp { touch(path, now: now) }
        for path in index.keys where found[path] == nil && pending[path]?.deleted != true { depart(path, now: now) }
    }

    /// The watched folder is gone: that a file is missing means nothing, unless it was seen to be unlinked.
    package mutating func abandon() {
        pending = pending.filter { $0.value.deleted }
        departed = [:]
    }

    // MARK: Decisions

    /// Decides the paths that are quiet, `limit` at most.
    ///
    /// - Parameters:
    ///   - wall: nanoseconds since 1970.
    ///   - look: the stamp of the regular file at a path, given the one that is known; `nil` where there is none.
    package mutating func settle(
        now: ContinuousClock.Instant, wall: Int64, limit: Int, look: (FilePath, FileStamp?) -> FileStamp?
    ) -> FileBatch {
        var batch = FileBatch()
        var looked = 0
        while looked < limit, let (path, tick) = schedule.next(now: now) {
            guard pending[path]?.tick == tick else { continue }
            looked += 1
            decide(path, now: now, wall: wall, look: look, into: &batch)
        }
        return batch
    }

    private mutating func decide(
        _ path: FilePath, now: ContinuousClock.Instant, wall: Int64, look: (FilePath, FileStamp?) -> FileStamp?,
        into batch: inout FileBatch
    ) {
        guard let entry = pending[path] else { return }
        let stamp = look(path, index[path])
        switch (index[path], stamp) {
        case (let known, .some(let stamp)) where known != stamp:
            guard isStable(stamp, seen: entry.seen, wall: wall) else {
                return change(path, due: now + max(settle, .milliseconds(1))) { $0.seen = stamp }
            }
            apply(arrival(at: path, stamp, known: known != nil, entry: entry, look: look), to: &batch)
        case (.some(let known), nil):
            // Its new name tells, when that is quiet.
            if let heir = entry.heir, pending[heir]?.origin == path { return }
            apply(.deleted(path, known), to: &batch)
        case (_, _): break
        }
        pending[path] = nil
        if let origin = entry.origin, pending[origin]?.heir == path {
            decide(origin, now: now, wall: wall, look: look, into: &batch)
        }
    }

    /// A file that was written less than `settle` ago may have notices on their way; one that did not change between
    /// two looks has none, whatever its time says.
    private func isStable(_ stamp: FileStamp, seen: FileStamp?, wall: Int64) -> Bool {
        seen == stamp || wall.subtractingReportingOverflow(stamp.modified).partialValue >= settle.nanoseconds
    }

    /// Over a known path, a rename is how editors write: that path was modified.
    private func arrival(
        at path: FilePath, _ stamp: FileStamp, known: Bool, entry: Pending, look: (FilePath, FileStamp?) -> FileStamp?
    ) -> FileChange {
        if known { return .modified(path, stamp) }
        if let old = source(of: stamp, entry: entry), look(old, index[old]) == nil {
            return .moved(path, from: old, stamp)
        }
        return .created(path, stamp)
    }

    /// The known path that the file at hand had: by the cookie of its rename, or as one that left and is unchanged.
    private func source(of stamp: FileStamp, entry: Pending) -> FilePath? {
        if let origin = entry.origin, index[origin]?.inode == stamp.inode { return origin }
        guard let old = departed[stamp.inode], index[old] == stamp, pending[old]?.deleted == false else { return nil }
        return old
    }

    private mutating func apply(_ change: FileChange, to batch: inout FileBatch) {
        batch.add(change)
        switch change {
        case .created(let path, let stamp), .modified(let path, let stamp): index[path] = stamp
        case .deleted(let path, let stamp): forget(path, stamp)
        case .moved(let path, let old, let stamp):
            index[path] = stamp
            forget(old, stamp)
            pending[old] = nil
        }
    }

    private mutating func forget(_ path: FilePath, _ stamp: FileStamp) {
        index[path] = nil
        if departed[stamp.inode] == path { departed[stamp.inode] = nil }
    }

    /// The one way into `pending`.
    private mutating func change(_ path: FilePath, due: ContinuousClock.Instant, _ body: (inout Pending) -> Void) {
        guard pending[path] != nil || index[path] != nil || filter.matches(path.text) else { return }
        var entry = pending[path] ?? Pending()
        body(&entry)
        entry.tick = schedule.add(path, due: due, known: entry.tick)
        pending[path] = entry
    }
}
