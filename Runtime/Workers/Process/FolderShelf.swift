import CProcess
import Glibc
import NIOPosix
import Synchronization

/// Keeps the temporary directory of a process for the next one in the same place, if nothing has touched it: to make and
/// to remove one costs more than to start a small program. Each process finds it as new.
final class FolderShelf: Sendable {
    /// When it was last changed: what is in it, its permissions, its attributes.
    private struct Stamp: Sendable, Equatable {
        let seconds: Int64
        let nanoseconds: Int64
        let inode: UInt64
    }

    private struct Folder: Sendable {
        let path: String
        let stamp: Stamp
    }

    private struct Contents: Sendable {
        /// What was taken and is as it was made.
        var known: Folder?
        var isTaken = false
        var isClosed = false
    }

    private let contents = Mutex(Contents())

    /// A directory that is kept, for one process at a time; `nil` when a new one has to be made.
    func take() -> String? {
        contents.withLock { contents in
            guard let known = contents.known, !contents.isTaken else { return nil }
            contents.isTaken = true
            return known.path
        }
    }

    /// Takes note of a new directory, which its maker has taken.
    func add(_ path: String) {
        guard let stamp = Self.stamp(of: path) else { return }
        contents.withLock { contents in
            guard contents.known == nil, !contents.isClosed else { return }
            contents.known = Folder(path: path, stamp: stamp)
            contents.isTaken = true
        }
    }

    /// The process that had it is gone. It is kept, or removed on a thread that may block.
    func putBack(_ path: String) {
        let stamp = Self.stamp(of: path)
        let isKept = contents.withLock { contents in
            guard let known = contents.known, known.path == path else { return false }
            contents.isTaken = false
            if !contents.isClosed, let stamp, stamp == known.stamp { return true }
            contents.known = nil
            return false
        }
        if !isKept { Self.remove(path) }
    }

    /// Keeps nothing from now on.
    func close() {
        let path = contents.withLock { contents -> String? in
            contents.isClosed = true
            guard let known = contents.known, !contents.isTaken else { return nil }
            contents.known = nil
            return known.path
        }
        if let path { Self.remove(path) }
    }

    deinit { close() }

    /// Of an empty directory; `nil` for one with something in it.
    private static func stamp(of path: String) -> Stamp? {
        var stamp = apus_folder_stamp()
        guard apus_stamp_empty_folder(path, &stamp) == 0 else { return nil }
        return Stamp(seconds: stamp.seconds, nanoseconds: stamp.nanoseconds, inode: stamp.inode)
    }

    /// Usually it is empty.
    static func remove(_ path: String) {
        guard rmdir(path) != 0 else { return }
        NIOThreadPool.singleton.submit { _ in apus_remove_tree(path) }
    }
}
