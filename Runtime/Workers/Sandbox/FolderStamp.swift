import Glibc

/// What tells that names have come into a folder, or gone.
struct FolderStamp: Equatable {
    private let inode: UInt
    private let seconds: Int
    private let nanoseconds: Int

    /// `nil` when it is not there.
    init?(_ path: String) {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        inode = UInt(status.st_ino)
        seconds = status.st_mtim.tv_sec
        nanoseconds = status.st_mtim.tv_nsec
    }

    /// What comes now may get the same stamp: a file system's clock goes by steps.
    var isFresh: Bool { seconds >= time(nil) - 2 }
}
