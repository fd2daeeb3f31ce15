import Glibc

/// One inotify instance, used by one thread.
final class Inotify {
    let descriptor: Int32
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 16, alignment: 8)

    struct Failure: Error, CustomStringConvertible {
        var code: Int32

        /// It went away, or is not a directory (any more).
        var isAbsence: Bool { [ENOENT, ENOTDIR, ELOOP].contains(code) }
        var description: String { String(cString: strerror(code)) }
    }

    init() throws(Failure) {
        descriptor = inotify_init1(Int32(IN_CLOEXEC | IN_NONBLOCK))
        if descriptor < 0 { throw Failure(code: errno) }
    }

    deinit {
        close(descriptor)
        buffer.deallocate()
    }

    /// Watches one directory. Watching it again returns the same number.
    func watch(_ directory: String) throws(Failure) -> Int32 {
        let watch = inotify_add_watch(descriptor, directory, WatchNotice.interest | UInt32(IN_DONT_FOLLOW))
        if watch < 0 { throw Failure(code: errno) }
        return watch
    }

    /// An error means that the kernel has dropped it already.
    func remove(_ watch: Int32) { inotify_rm_watch(descriptor, watch) }

    /// What one read returns; empty when there is nothing.
    func read() -> [WatchNotice] {
        let count = Glibc.read(descriptor, buffer.baseAddress, buffer.count)
        return count > 0 ? WatchNotice.decode(UnsafeRawBufferPointer(rebasing: buffer[..<count])) : []
    }
}
