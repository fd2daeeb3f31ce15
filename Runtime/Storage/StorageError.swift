import GRDB

/// Why the store could not do what it was asked for.
package struct StorageError: Error, Sendable, CustomStringConvertible {
    package enum Code: String, Sendable {
        /// Another process has the data folder.
        case inUse
        /// A later version of Apus made the data folder.
        case newerVersion
        /// The file is not one of Apus.
        case foreign
        /// The file is damaged.
        case damaged
        /// The data folder cannot be made, read or written.
        case inaccessible
        /// No space is left.
        case full
        /// The store is closed.
        case closed
        /// Anything else; `underlying` says what.
        case failed
    }

    package let code: Code
    /// What happened, and what to do about it.
    package let message: String
    package let underlying: (any Error)?

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
    static func wrapping(_ error: any Error, path: String) -> any Error {
        guard let error = error as? DatabaseError else { return error }
        return StorageError(code(of: error), explanation(of: error, path: path), underlying: error)
    }

    /// See https://www.sqlite.org/rescode.html.
    private static func code(of error: DatabaseError) -> Code {
        switch error.resultCode {
        case .SQLITE_NOTADB: .foreign
        case .SQLITE_CORRUPT: .damaged
        case .SQLITE_FULL: .full
        case .SQLITE_CANTOPEN, .SQLITE_READONLY, .SQLITE_PERM, .SQLITE_AUTH: .inaccessible
        default: .failed
        }
    }

    private static func explanation(of error: DatabaseError, path: String) -> String {
        switch code(of: error) {
        case .foreign: "\(path) is not an Apus database; move it away or choose another data folder"
        case .damaged: "\(path) is damaged; restore it from a backup, or salvage it with sqlite3's .recover"
        case .full: "no space is left for \(path); free some and try again"
        case .inaccessible: "\(path) cannot be opened for writing; check the owner and mode of the file and its folder"
        case .inUse, .newerVersion, .closed, .failed: "\(path) could not be used"
        }
    }
}
