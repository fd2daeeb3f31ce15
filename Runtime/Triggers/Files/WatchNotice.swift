import Glibc

/// One record of an inotify queue (inotify(7)).
package struct WatchNotice: Sendable, Hashable {
    package var watch: Int32
    package var mask: UInt32
    /// The same in both halves of a rename; otherwise 0.
    package var cookie: UInt32
    /// The name within the directory that is watched.
    package var name: Name

    package enum Name: Sendable, Hashable {
        /// The notice is about the directory itself.
        case none
        case text(String)
        /// Not UTF-8.
        case unreadable
    }

    package init(watch: Int32, mask: UInt32, cookie: UInt32 = 0, name: Name = .none) {
        self.watch = watch
        self.mask = mask
        self.cookie = cookie
        self.name = name
    }

    package func has(_ flags: Int32) -> Bool { mask & UInt32(bitPattern: flags) != 0 }

    /// What is asked of the kernel for each directory.
    static let interest = UInt32(
        bitPattern: IN_CREATE | IN_MODIFY | IN_CLOSE_WRITE | IN_ATTRIB | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO
            | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR | IN_EXCL_UNLINK)

    /// Reads what one `read(2)` returned; the kernel gives whole records only.
    package static func decode(_ bytes: UnsafeRawBufferPointer) -> [WatchNotice] {
        var notices: [WatchNotice] = []
        var rest = bytes[...]
        while rest.count >= 16 {
            let record = UnsafeRawBufferPointer(rebasing: rest)
            let length = Int(record.loadUnaligned(fromByteOffset: 12, as: UInt32.self))
            guard record.count >= 16 + length else { break }
            notices.append(
                WatchNotice(
                    watch: record.loadUnaligned(as: Int32.self),
                    mask: record.loadUnaligned(fromByteOffset: 4, as: UInt32.self),
                    cookie: record.loadUnaligned(fromByteOffset: 8, as: UInt32.self),
                    name: name(in: record[16..<16 + length])))
            rest = rest.dropFirst(16 + length)
        }
        return notices
    }

    /// Names are padded with NUL bytes.
    private static func name(in field: Slice<UnsafeRawBufferPointer>) -> Name {
        let bytes = field.prefix { $0 != 0 }
        if bytes.isEmpty { return .none }
        return String(validating: bytes, as: UTF8.self).map { .text($0) } ?? .unreadable
    }
}
