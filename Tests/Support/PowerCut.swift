import CFaultControl
import Foundation

/// What a power cut does to the files of a process that has ended, from the undo log that the fault injector has kept:
/// what was not synced when the process was killed may be gone.
///
/// A file that was made, removed or renamed keeps its old name until its folder is synced, or, when it was made, the
/// file itself, as on ext4 and XFS. A change that was under way when a failed sync was reported is lost even when a later
/// sync succeeds, unless the page was written again: Linux marks pages clean that it could not write.
package struct PowerCut {
    package struct Damaged: Error, CustomStringConvertible {
        package let description: String
    }

    private var log: UndoLog
    private let path: String

    /// What is not durable in the log of `faults`, or nothing when there is no log.
    package init(of faults: Faults) throws {
        path = faults.undoLog
        log = try UndoLog(contentsOf: path)
    }

    /// Changes that a power cut may undo.
    package var volatileChanges: Int { log.volatile.count }

    /// Undoes what was not durable, forgets the log, and removes the shared memory files below `folder`, which SQLite
    /// never syncs.
    ///
    /// - Parameter keeping: whether a change with this number survives; only with `Faults.Undo.parts`.
    package func happen(below folder: String, keeping: (UInt64) -> Bool = { _ in false }) throws {
        let volatile = log.volatile
        for change in volatile.reversed() { try undo(change) }
        for change in volatile where keeping(change.record.sequence) { try redo(change) }
        try forget()
        let names = FileManager.default.enumerator(atPath: folder)?.compactMap { $0 as? String } ?? []
        for name in names where name.hasSuffix("-shm") {
            try FileManager.default.removeItem(atPath: "\(folder)/\(name)")
        }
    }

    /// The kernel has written everything out: the process was killed, and the power stayed.
    package func forget() throws {
        let folder = (path as NSString).deletingLastPathComponent
        let name = (path as NSString).lastPathComponent
        for other in try FileManager.default.contentsOfDirectory(atPath: folder) where other.hasPrefix(name) {
            try FileManager.default.removeItem(atPath: "\(folder)/\(other)")
        }
    }

    private func undo(_ change: UndoLog.Change) throws {
        switch change.kind {
        case .created: try remove(change.path)
        case .removed(let kept):
            if !kept.isEmpty { try move(kept, change.path) }
        case .renamed(let new): try move(new, change.path)
        case .written(let before):
            guard let file = FileHandle(forUpdatingAtPath: change.path) else { return }
            defer { try? file.close() }
            for (offset, bytes) in change.pieces(of: before) {
                try file.seek(toOffset: offset)
                try file.write(contentsOf: bytes)
            }
            // What was written again later has made the file long enough for good.
            if change.isLatest { try file.truncate(atOffset: change.record.size) }
        }
    }

    /// Names stay as they were: only content comes in parts.
    private func redo(_ change: UndoLog.Change) throws {
        guard let after = change.after, let file = FileHandle(forUpdatingAtPath: change.path) else { return }
        defer { try? file.close() }
        try file.seek(toOffset: change.record.offset)
        try file.write(contentsOf: after)
    }

    private func remove(_ path: String) throws {
        guard unlink(path) == 0 || errno == ENOENT else {
            throw Damaged(description: "cannot remove \(path): \(String(cString: strerror(errno)))")
        }
    }

    /// The change that the log tells of may not have happened any more.
    private func move(_ from: String, _ to: String) throws {
        guard rename(from, to) == 0 || errno == ENOENT else {
            throw Damaged(description: "cannot move \(from) to \(to): \(String(cString: strerror(errno)))")
        }
    }
}
