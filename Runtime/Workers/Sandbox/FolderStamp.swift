import Glibc

/// What tells that names have come into a folder, or gone. Not the time at which it was changed, which anybody who may write
/// there can set, but the one at which it was touched, which only the kernel does (`st_ctim`).
struct FolderStamp: Equatable {
    private let identity: FileIdentity
    private let seconds: Int
    private let nanoseconds: Int

    /// `nil` when it is not there.
    init?(_ path: String) {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        identity = FileIdentity(status)
        seconds = status.st_ctim.tv_sec
        nanoseconds = status.st_ctim.tv_nsec
    }

    /// Whether what comes at `now`, in seconds since 1970, may get the same stamp: a file system's clock goes by steps.
    func isFresh(at now: Int) -> Bool { seconds >= now - 2 }
}
