#if canImport(Glibc)
    import Glibc
#else
    import Musl
#endif

/// What tells one build of a program from another: the file behind all links, so that a link that leads elsewhere is a
/// change, too.
package struct ProgramStamp: Sendable, Equatable {
    private struct Time: Sendable, Equatable {
        let seconds: Int
        let nanoseconds: Int

        init(_ time: timespec) {
            seconds = time.tv_sec
            nanoseconds = time.tv_nsec
        }
    }

    private let path: String
    private let device: UInt
    private let inode: UInt
    private let size: Int
    private let modified: Time
    /// Of the inode: tells a rewrite that keeps size and time, as copies with fixed times do.
    private let changed: Time

    /// `nil` when there is no regular file.
    package init?(_ path: String) {
        var status = stat()
        guard stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
        self.path = path
        device = UInt(status.st_dev)
        inode = UInt(status.st_ino)
        size = Int(status.st_size)
        modified = Time(status.st_mtim)
        changed = Time(status.st_ctim)
    }
}
