import Manifests

#if canImport(Glibc)
    import Glibc
#else
    import Musl
#endif

/// What tells one build of a handler's program from another.
struct HandlerStamp: Equatable {
    private let device: UInt
    private let inode: UInt
    private let size: Int
    private let modified: Int
    private let modifiedNanoseconds: Int

    /// `nil` when the program is not there.
    init?(of handler: Handler) {
        var status = stat()
        guard let program = handler.command.first, stat(program, &status) == 0 else { return nil }
        device = UInt(status.st_dev)
        inode = UInt(status.st_ino)
        size = Int(status.st_size)
        modified = status.st_mtim.tv_sec
        modifiedNanoseconds = status.st_mtim.tv_nsec
    }
}
