import Glibc
import Storage

/// What the file system says. Symbolic links below a watched folder are not followed.
enum FolderAccess {
    /// The watched directory as it is now: another one may take its name.
    struct Root: Equatable {
        /// Without symbolic links.
        var path: String
        var device: UInt
        var inode: UInt
    }

    struct Entry {
        var name: String
        var isDirectory: Bool
    }

    static func root(at path: String) -> Root? {
        guard let resolved = realpath(path, nil) else { return nil }
        defer { free(resolved) }
        var status = stat()
        guard stat(resolved, &status) == 0, status.st_mode & S_IFMT == S_IFDIR else { return nil }
        return Root(path: String(cString: resolved), device: UInt(status.st_dev), inode: UInt(status.st_ino))
    }

    /// The stamp of a regular file; `nil` where there is none, and `known` where that cannot be found out.
    static func stamp(of path: String, known: FileStamp?) -> FileStamp? {
        var status = stat()
        guard lstat(path, &status) == 0 else { return [ENOENT, ENOTDIR, ELOOP].contains(errno) ? nil : known }
        guard status.st_mode & S_IFMT == S_IFREG else { return nil }
        let modified = Int64(status.st_mtim.tv_sec).multipliedReportingOverflow(by: 1_000_000_000).partialValue
        return FileStamp(
            size: Int64(status.st_size), modified: modified &+ Int64(status.st_mtim.tv_nsec),
            inode: UInt64(status.st_ino))
    }

    /// What is in a directory, but for what is neither directory nor perhaps a regular file.
    ///
    /// - Returns: `nil` when it cannot be read; whether names were left out since they are not UTF-8.
    static func list(_ directory: String) -> (entries: [Entry], unreadable: Bool)? {
        guard let stream = opendir(directory) else { return nil }
        defer { closedir(stream) }
        var entries: [Entry] = []
        var unreadable = false
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(validatingCString: $0) }
            }
            guard let name else {
                unreadable = true
                continue
            }
            if name == "." || name == ".." { continue }
            switch Int(entry.pointee.d_type) {
            case Int(DT_DIR): entries.append(Entry(name: name, isDirectory: true))
            case Int(DT_REG): entries.append(Entry(name: name, isDirectory: false))
            case Int(DT_UNKNOWN): entries.append(Entry(name: name, isDirectory: isDirectory("\(directory)/\(name)")))
            default: break
            }
        }
        return (entries, unreadable)
    }

    private static func isDirectory(_ path: String) -> Bool {
        var status = stat()
        return lstat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }
}
