import GRDB

#if canImport(Glibc)
    import Glibc
#else
    import Musl
#endif

/// Why the store could not do what it was asked for.
package struct StorageError: Error, Sendable, CustomStringConvertible {
    package enum Code: String, Sendable {
        /// Another process has the data folder, or a lock on the database that is in the way.
        case inUse
        /// A later version of Apus made the data folder.
        case newerVersion
        /// An earlier version of Apus made the database, and what is asked for needs this one's.
        case olderVersion
        /// There is no such file.
        case missing
        /// There is such a file already.
        case exists
        /// The file is not one of Apus.
        case foreign
        /// The file is damaged.
        case damaged
        /// The data folder cannot be made, read or written.
        case inaccessible
        /// No space is left.
        case full
        /// The file system is read-only.
        case readOnly
        /// The disk could not read or write.
        case disk
        /// The store is closed.
        case closed
        /// Anything else; `underlying` says what.
        case failed
    }

    package let code: Code
    /// What happened, and what to do about it.
    package let message: String
    package let underlying: (any Error)?
    /// Whether a crash of the host could bring back what was refused with this error: the disk failed while that was
    /// committed, and could not be made to forget it.
    package var mayBeApplied = false

    package init(_ code: Code, _ message: String, underlying: (any Error)? = nil) {
        self.code = code
        self.message = message
        self.underlying = underlying
    }

    package var description: String {
        guard let underlying else { return message }
        return "\(message) (\(underlying))"
    }
}

extension StorageError {
    /// `error` in the words of this module. Errors that are not of SQLite stay what they are.
    ///
    /// - Parameter systemError: the `errno` that SQLite met, where it is known.
    static func wrapping(_ error: any Error, path: String, systemError: Int32 = 0) -> any Error {
        guard let error = error as? DatabaseError else { return error }
        let code = code(of: error, systemError)
        return StorageError(code, explanation(of: code, path: path, systemError), underlying: error)
    }

    /// Whether SQLite has found the file damaged.
    static func isDamage(_ error: any Error) -> Bool {
        (error as? DatabaseError)?.resultCode == .SQLITE_CORRUPT
    }

    /// See https://www.sqlite.org/rescode.html.
    private static func code(of error: DatabaseError, _ systemError: Int32) -> Code {
        switch error.resultCode {
        case .SQLITE_BUSY: .inUse
        case .SQLITE_NOTADB: .foreign
        case .SQLITE_CORRUPT: .damaged
        case .SQLITE_FULL: .full
        case .SQLITE_IOERR where [ENOSPC, EDQUOT].contains(systemError): .full
        case .SQLITE_IOERR where systemError == EROFS: .readOnly
        case .SQLITE_CANTOPEN where systemError == EROFS: .readOnly
        case .SQLITE_IOERR: .disk
        case .SQLITE_CANTOPEN, .SQLITE_READONLY, .SQLITE_PERM, .SQLITE_AUTH: .inaccessible
        default: .failed
        }
    }

    private static func explanation(of code: Code, path: String, _ systemError: Int32) -> String {
        switch code {
        case .inUse:
            return "another program has locked \(path), such as an sqlite3 shell; wait for it, or end it"
        case .foreign: return "\(path) is not an Apus database; move it away or choose another data folder"
        case .damaged:
            return "\(path) is damaged; stop the host and restore it with 'apus restore' from a backup, or salvage it "
                + "with sqlite3's .recover"
        case .full: return "no space is left for \(path); free some"
        case .readOnly: return "the file system of \(path) is read-only; find out why and mount it for writing"
        case .disk:
            let reason = systemError == 0 ? "" : ": \(String(cString: strerror(systemError)))"
            return "the disk under \(path) fails\(reason); the kernel's log may say why"
        case .inaccessible:
            return "\(path) cannot be opened for writing; check the owner and mode of the file and its folder"
        case .newerVersion, .olderVersion, .missing, .exists, .closed, .failed:
            return "\(path) could not be used"
        }
    }
}
