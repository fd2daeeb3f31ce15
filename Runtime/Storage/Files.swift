#if canImport(Glibc)
    import Glibc
#else
    import Musl
#endif

/// Files as wholes, so that a crash leaves the old ones or the new ones.
enum Files {
    /// Makes sure that there is a file that can be read.
    ///
    /// - Parameter advice: what to do where there is none.
    /// - Throws: `StorageError`.
    static func find(_ path: String, orElse advice: String) throws {
        var status = stat()
        guard access(path, R_OK) == 0, stat(path, &status) == 0 else {
            throw errno == ENOENT || errno == ENOTDIR
                ? StorageError(.missing, "there is no \(path); \(advice)") : failure("\(path) cannot be read")
        }
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw StorageError(.foreign, "\(path) is not a file; \(advice)")
        }
    }

    /// Makes sure that there is the folder of a file to be made.
    ///
    /// - Throws: `StorageError`.
    static func findFolder(of path: String) throws {
        let folder = folder(of: path)
        guard access(folder, F_OK) == 0 || errno != ENOENT else {
            throw StorageError(.inaccessible, "there is no folder \(folder); make it, or choose another place")
        }
    }

    /// Returns once the content is on disk. Gives the size.
    @discardableResult
    static func sync(_ path: String) throws -> Int64 {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw failure("\(path) cannot be opened") }
        defer { close(descriptor) }
        var status = stat()
        guard fsync(descriptor) == 0, fstat(descriptor, &status) == 0 else { throw failure("\(path) cannot be synced") }
        return Int64(status.st_size)
    }

    /// Makes an empty database for its owner alone: SQLite would let everybody read one that it makes. What it puts beside
    /// a database gets the same mode.
    ///
    /// - Parameter exclusively: fails where there is a file of that name.
    static func makeDatabase(_ path: String, exclusively: Bool = false) throws {
        let more = exclusively ? O_EXCL : 0
        let descriptor = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | more, 0o600)
        guard descriptor >= 0 else { throw failure("\(path) cannot be made") }
        close(descriptor)
    }

    /// Whether both are there and one file, under one name or two.
    static func areSame(_ one: String, _ other: String) -> Bool {
        var (first, second) = (stat(), stat())
        guard stat(one, &first) == 0, stat(other, &second) == 0 else { return false }
        return first.st_dev == second.st_dev && first.st_ino == second.st_ino
    }

    /// Takes the place of what is at `new`; durable when it returns.
    static func move(_ old: String, to new: String) throws {
        guard rename(old, new) == 0 else { throw failure("\(old) cannot become \(new)") }
        try sync(folder(of: new))
    }

    /// Gives `path` a second name, which must be free.
    static func keep(_ path: String, as name: String) throws {
        guard link(path, name) == 0 else { throw failure("\(path) cannot be kept as \(name)") }
    }

    /// What is not there is removed already.
    static func remove(_ path: String) throws {
        guard unlink(path) == 0 || errno == ENOENT else { throw failure("\(path) cannot be removed") }
    }

    static func folder(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    /// Of the last system call.
    static func failure(_ what: String) -> StorageError {
        let code: StorageError.Code =
            switch errno {
            case ENOSPC, EDQUOT: .full
            case EROFS: .readOnly
            case EIO: .disk
            default: .inaccessible
            }
        return StorageError(code, "\(what): \(String(cString: strerror(errno)))")
    }
}
