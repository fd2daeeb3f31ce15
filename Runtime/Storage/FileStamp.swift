package import Events

/// A path relative to a watched folder.
package typealias FilePath = ExactText

/// What tells one state of a file from another.
package struct FileStamp: Sendable, Hashable {
    package var size: Int64
    /// Nanoseconds since 1970.
    package var modified: Int64
    package var inode: UInt64

    package init(size: Int64, modified: Int64, inode: UInt64) {
        self.size = size
        self.modified = modified
        self.inode = inode
    }
}
