import Glibc

/// Which file or folder a path leads to, behind all links: what a rule of Landlock binds to, whatever its name is later.
struct FileIdentity: Sendable, Equatable {
    private let device: UInt
    private let inode: UInt

    /// `nil` when it leads nowhere.
    init?(_ path: String) {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        self.init(status)
    }

    init(_ status: stat) {
        device = UInt(status.st_dev)
        inode = UInt(status.st_ino)
    }
}
