#if canImport(Glibc)
    import Glibc
#else
    import Musl
#endif

/// A copy of a database in one file, which is there under its name only when it is whole, checked and on disk.
package struct DatabaseCopy: Sendable {
    package var path: String
    package var bytes: Int64

    /// Copies the database of a data folder as it is at one instant. A host may run.
    ///
    /// - Throws: `StorageError`; `file` is then as it was before.
    package init(backingUp directory: String, to file: String, replacing: Bool = false) throws {
        let source = directory + "/apus.db"
        try Files.find(source, orElse: "name the host's data folder with --data")
        try Files.findFolder(of: file)
        try self.init(of: source, to: file, replacing: replacing)
    }

    init(of source: String, to file: String, replacing: Bool) throws {
        guard replacing || access(file, F_OK) != 0 else {
            throw StorageError(.exists, "\(file) is there already; choose another name, or replace it with --force")
        }
        guard !Files.areSame(source, file) else {
            throw StorageError(.exists, "\(file) is the database itself; choose another name")
        }
        let partial = file + ".partial"
        unlink(partial)
        do {
            guard try Schema.inspect(source) > 0 else {
                throw StorageError(
                    .foreign, "\(source) has nothing in it yet; choose another data folder with --data")
            }
            try Self.fill(partial, from: source)
            try Self.check(partial)
            bytes = try Files.sync(partial)
            try Files.move(partial, to: file)
            path = file
        } catch {
            unlink(partial)
            throw StorageError.wrapping(error, path: source)
        }
    }

    /// Reads at one instant, and leaves out what is free; a writer goes on meanwhile.
    private static func fill(_ partial: String, from source: String) throws {
        try Files.makeDatabase(partial, exclusively: true)
        let file = try Connection(reading: source, options: Options())
        do {
            try file.run("VACUUM INTO ?", .text(partial))
        } catch {
            // Of the copy, unless the source is damaged.
            throw StorageError.isDamage(error) ? error : StorageError.wrapping(error, path: partial)
        }
    }

    private static func check(_ partial: String) throws {
        try Schema.inspect(partial)
        let file = try Connection(reading: partial, options: Options())
        let damage = try DatabaseCheck.damage(in: file)
        if let first = damage.first { throw StorageError(.damaged, "the copy is of no use: \(first)") }
    }
}
