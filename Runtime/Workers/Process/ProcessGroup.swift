import Glibc

/// The processes that belong to a worker.
enum ProcessGroup {
    /// Bytes that the processes of group `leader` have in memory, pages that they share counted once for each
    /// (proc_pid_statm(5)). Looks at every process of the machine, so not on a lane.
    static func residentBytes(of leader: Int32) -> Int64 {
        guard let folder = opendir("/proc") else { return 0 }
        defer { closedir(folder) }
        var pages: Int64 = 0
        while let entry = readdir(folder) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) {
                String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            guard let process = pid_t(name), getpgid(process) == leader else { continue }
            // One that has ended meanwhile holds nothing.
            let fields = text(of: "/proc/\(name)/statm").split(separator: " ")
            if fields.count > 1 { pages += Int64(fields[1]) ?? 0 }
        }
        return pages * Int64(getpagesize())
    }

    /// The beginning of a file of `/proc`; empty when it cannot be read.
    private static func text(of path: String) -> String {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return "" }
        defer { close(file) }
        return withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 256) { buffer in
            let count = read(file, buffer.baseAddress, buffer.count)
            return String(decoding: buffer.prefix(max(0, count)), as: UTF8.self)
        }
    }
}
