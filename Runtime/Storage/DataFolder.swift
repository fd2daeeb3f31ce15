#if canImport(Glibc)
    import Glibc
#else
    import Musl
#endif

/// The folder with everything that lasts, and the right to be its only host.
struct DataFolder: ~Copyable {
    let path: String
    /// What was not there before, in the order in which it was made.
    private let made: [String]
    private let lock: Int32

    var database: String { path + "/apus.db" }

    /// Creates the folder where it is missing, for its owner alone, and takes its lock.
    ///
    /// The lock is `flock(2)` on `PATH/lock`: it ends with the process, however that ends, and is not inherited by
    /// workers. The file names the process that has it.
    init(_ path: String) throws {
        let file = path + "/lock"
        var made: [String] = []
        do {
            try Self.create(path, &made)
            let isNew = access(file, F_OK) != 0
            let lock = try Self.lock(file, of: path)
            // Another's, which came meanwhile, is not taken back.
            if isNew { made.append(file) }
            (self.lock, self.path, self.made) = (lock, path, made)
        } catch {
            Self.takeBack(made)
            throw error
        }
    }

    deinit {
        // A process that is being started still has the descriptor until its `execve`, and the lock with it.
        flock(lock, LOCK_UN)
        close(lock)
    }

    /// Removes what this has made, unless something else is in it by now.
    func takeBack() { Self.takeBack(made) }

    private static func takeBack(_ made: [String]) {
        for name in made.reversed() { remove(name) }
    }

    /// - Parameter made: gets the folders that were missing.
    private static func create(_ path: String, _ made: inout [String]) throws {
        var parent = ""
        for part in path.split(separator: "/", omittingEmptySubsequences: false) {
            parent += parent.isEmpty && part.isEmpty ? "/" : part + "/"
            if mkdir(parent, 0o700) == 0 {
                made.append(parent)
            } else if errno != EEXIST && errno != EROFS && errno != EACCES {
                throw inaccessible("the data folder \(path) cannot be made")
            }
        }
        guard access(path, R_OK | W_OK | X_OK) == 0 else {
            throw inaccessible("the data folder \(path) cannot be written")
        }
    }

    private static func lock(_ file: String, of folder: String) throws -> Int32 {
        let descriptor = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw inaccessible("\(file) cannot be opened") }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            let isTaken = errno == EWOULDBLOCK
            let error = isTaken ? inUse(folder, by: descriptor) : inaccessible("\(file) cannot be locked")
            close(descriptor)
            throw error
        }
        // One that was taken back after it was opened keeps nobody out.
        var (held, found) = (stat(), stat())
        guard fstat(descriptor, &held) == 0, stat(file, &found) == 0, held.st_ino == found.st_ino else {
            let error = inUse(folder, by: descriptor)
            close(descriptor)
            throw error
        }
        let name = "\(getpid())\n"
        guard ftruncate(descriptor, 0) == 0, pwrite(descriptor, name, name.utf8.count, 0) == name.utf8.count else {
            let error = inaccessible("\(file) cannot be written")
            close(descriptor)
            throw error
        }
        return descriptor
    }

    private static func inUse(_ folder: String, by descriptor: Int32) -> StorageError {
        var bytes = [UInt8](repeating: 0, count: 20)
        let count = pread(descriptor, &bytes, bytes.count, 0)
        let digits = bytes.prefix(max(0, count)).prefix { $0 != UInt8(ascii: "\n") }
        let holder = Int(String(decoding: digits, as: UTF8.self)).map { "process \($0)" } ?? "another process"
        return StorageError(
            .inUse, "the data folder \(folder) is in use by \(holder); stop it, or choose another folder with --data")
    }

    /// Of the last system call.
    private static func inaccessible(_ what: String) -> StorageError {
        Files.failure(what)
    }
}

extension DataFolder {
    /// Whether there is a database, be it of Apus or not.
    var hasDatabase: Bool {
        var status = stat()
        return stat(database, &status) == 0 && status.st_size > 0
    }
}
