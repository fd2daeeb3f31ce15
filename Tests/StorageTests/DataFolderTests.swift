import Events
import Foundation
import GRDB
import Storage
import Support
import Testing

@Suite("Data folder")
struct DataFolderTests {
    @Test("the folder is made, for its owner alone")
    func created() async throws {
        try await withTemporaryFolder { folder in
            let path = folder + "/a/b"
            try Store(directory: path).close()
            let attributes = try FileManager.default.attributesOfItem(atPath: path)
            #expect(attributes[.posixPermissions] as? Int == 0o700)
            #expect(FileManager.default.fileExists(atPath: path + "/apus.db"))
        }
    }

    @Test("of a folder that cannot be had, nothing is left")
    func refused() async throws {
        try await withTemporaryFolder { folder in
            let name = String(repeating: "x", count: 300)
            let error = #expect(throws: StorageError.self) { try Store(directory: "\(folder)/new/\(name)") }
            #expect(error?.code == .inaccessible)
            #expect(!FileManager.default.fileExists(atPath: folder + "/new"))
        }
    }

    @Test("the database and what is beside it are for their owner alone")
    func modes() async throws {
        try await withStore { (store, folder) async throws in
            try await store.put("k", "v")
            for name in ["apus.db", "apus.db-wal", "apus.db-shm", "lock"] {
                let attributes = try FileManager.default.attributesOfItem(atPath: "\(folder)/\(name)")
                #expect(attributes[.posixPermissions] as? Int == 0o600, "\(name)")
            }
        }
    }

    @Test("the file is in WAL mode and says whose it is and of which version")
    func identity() async throws {
        try await withStore { (_, folder) async throws in
            let file = try DatabaseQueue(path: folder + "/apus.db")
            let pragmas = try await file.read { database in
                try ["journal_mode", "application_id", "user_version"].map {
                    try String.fetchOne(database, sql: "PRAGMA \($0)")
                }
            }
            #expect(pragmas == ["wal", String(0x4170_7573), "4"])
            try file.close()
        }
    }

    @Test("a second host is refused and told who has the folder")
    func locked() async throws {
        try await withStore { (_, folder) async throws in
            let error = #expect(throws: StorageError.self) { try Store(directory: folder) }
            #expect(error?.code == .inUse)
            #expect(error?.message.contains("process \(getpid());") == true)
        }
    }

    @Test("another process cannot take the lock while the store is open, and can afterwards")
    func lockedForOthers() async throws {
        try await withStore { (store, folder) async throws in
            #expect(try lockFromAnotherProcess(folder) == false)
            try store.close()
            #expect(try lockFromAnotherProcess(folder) == true)
        }
    }

    @Test("a data folder of a later version is refused and left as it is")
    func newer() async throws {
        try await withStore { (store, folder) async throws in
            try await store.put("k", "v")
            try store.close()
            try await changing(folder) { try $0.execute(sql: "PRAGMA user_version = 99; CREATE TABLE later (x)") }
            let before = try Data(contentsOf: URL(fileURLWithPath: folder + "/apus.db"))
            let error = #expect(throws: StorageError.self) { try Store(directory: folder) }
            #expect(error?.code == .newerVersion)
            #expect(error?.message.contains("version 99") == true && error?.message.contains("up to 4;") == true)
            #expect(try Data(contentsOf: URL(fileURLWithPath: folder + "/apus.db")) == before)
        }
    }

    @Test("a later version that is still in the log of a crashed host is refused too")
    func newerInLog() async throws {
        try await withTemporaryFolder { folder in
            try Store(directory: folder + "/live").close()
            let file = try DatabasePool(path: folder + "/live/apus.db")
            try await file.write { try $0.execute(sql: "PRAGMA user_version = 99") }
            let copy = try copyOfDatabase(from: folder + "/live", to: folder + "/copy")
            #expect(throws: StorageError.self) { try Store(directory: copy) }
            try file.close()
        }
    }

    @Test("what a crashed host has left in its log is there also while another program reads the database")
    func logInUse() async throws {
        try await withTemporaryFolder { folder in
            let store = try Store(directory: folder + "/live", pragmas: ["wal_autocheckpoint = 0"])
            try await store.put("k", "v")
            let copy = try copyOfDatabase(from: folder + "/live", to: folder + "/copy")
            try store.close()
            let reader = try DatabaseQueue(path: copy + "/apus.db")
            try await reader.read { database in
                _ = try Int.fetchOne(database, sql: "SELECT count(*) FROM state")
                let time = try ContinuousClock().measure { try Store(directory: copy).close() }
                #expect(time < .seconds(4), "nobody waits for the reader as long as for a lock that must be had, 5 s")
            }
            try reader.close()
            try await reopening(copy) { (store) async throws in #expect(try await store.text("k") == "v") }
        }
    }

    @Test("a database that another program has locked is in use, and the error says so")
    func lockedDatabase() async throws {
        try await withTemporaryFolder { folder in
            let store = try Store(directory: folder + "/live", pragmas: ["wal_autocheckpoint = 0"])
            try await store.put("k", "v")
            let copy = try copyOfDatabase(from: folder + "/live", to: folder + "/copy")
            try store.close()
            let holder = try DatabaseQueue(path: copy + "/apus.db")
            let error = try await holder.writeWithoutTransaction { database -> StorageError? in
                var error: StorageError?
                try database.inTransaction(.immediate) {
                    error = #expect(throws: StorageError.self) {
                        try Store(directory: copy, pragmas: ["busy_timeout = 0"])
                    }
                    return .rollback
                }
                return error
            }
            #expect(error?.code == .inUse)
            #expect(error?.message.hasPrefix("another program has locked \(copy)/apus.db, such as ") == true)
            try holder.close()
            try await reopening(copy) { (store) async throws in #expect(try await store.text("k") == "v") }
        }
    }

    @Test("a file that a host was making when it died is made anew: the journal of its first transaction is left")
    func diedInFirstTransaction() async throws {
        try await withTemporaryFolder { folder in
            let other = folder + "/other"
            try await changing(folder) { database in
                try database.execute(sql: "BEGIN IMMEDIATE; CREATE TABLE t (x)")
                try FileManager.default.createDirectory(atPath: other, withIntermediateDirectories: true)
                for name in ["apus.db", "apus.db-journal"] {
                    try FileManager.default.copyItem(atPath: "\(folder)/\(name)", toPath: "\(other)/\(name)")
                }
                try database.execute(sql: "ROLLBACK")
            }
            try Store(directory: other).close()
        }
    }

    @Test("a file that a host was making when it died is made anew: nothing but the migrator's table is there")
    func diedBeforeFirstMigration() async throws {
        try await withTemporaryFolder { folder in
            try await changing(folder) {
                try $0.execute(sql: "CREATE TABLE grdb_migrations (identifier TEXT NOT NULL PRIMARY KEY)")
            }
            try Store(directory: folder).close()
        }
    }

    @Test("a database of something else is refused and left as it is")
    func foreign() async throws {
        try await withTemporaryFolder { folder in
            try await changing(folder) { try $0.execute(sql: "CREATE TABLE mine (x)") }
            let error = #expect(throws: StorageError.self) { try Store(directory: folder) }
            #expect(error?.code == .foreign)
            try await changing(folder) { database in
                let tables = try String.fetchAll(database, sql: "SELECT name FROM sqlite_master")
                #expect(tables == ["mine"])
            }
        }
    }

    @Test("a file that is no database is refused")
    func noDatabase() async throws {
        try await withTemporaryFolder { folder in
            try Data(repeating: 0x41, count: 9000).write(to: URL(fileURLWithPath: folder + "/apus.db"))
            let error = #expect(throws: StorageError.self) { try Store(directory: folder) }
            #expect(error?.code == .foreign)
        }
    }

    @Test("a damaged file is refused")
    func damaged() async throws {
        try await withStore { (store, folder) async throws in
            for index in 0..<200 { try await store.put("k\(index)", String(repeating: "v", count: 100)) }
            try store.close()
            let url = URL(fileURLWithPath: folder + "/apus.db")
            var bytes = try Data(contentsOf: url)
            for index in 4096..<bytes.count { bytes[index] = UInt8(truncatingIfNeeded: index &* 31) }
            try bytes.write(to: url)
            let error = #expect(throws: StorageError.self) { try Store(directory: folder) }
            #expect(error?.code == .damaged)
        }
    }

    @Test("a folder that cannot be made says so")
    func unwritable() async throws {
        try await withTemporaryFolder { folder in
            try Data().write(to: URL(fileURLWithPath: folder + "/file"))
            let error = #expect(throws: StorageError.self) { try Store(directory: folder + "/file/data") }
            #expect(error?.code == .inaccessible)
            #expect(error?.message.contains(folder + "/file/data") == true)
        }
    }

    @Test("a folder is free again after a store could not be opened")
    func lockIsGivenUp() async throws {
        try await withTemporaryFolder { folder in
            let url = URL(fileURLWithPath: folder + "/apus.db")
            try Data(repeating: 0x41, count: 9000).write(to: url)
            #expect(throws: StorageError.self) { try Store(directory: folder) }
            try FileManager.default.removeItem(at: url)
            try Store(directory: folder).close()
        }
    }
}

/// Changes the database of a folder that no store has open.
private func changing(_ folder: String, _ body: @escaping @Sendable (Database) throws -> Void) async throws {
    let file = try DatabaseQueue(path: folder + "/apus.db")
    try await file.writeWithoutTransaction(body)
    try file.close()
}

/// Whether a process of its own gets the lock.
private func lockFromAnotherProcess(_ folder: String) throws -> Bool {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/flock")
    process.arguments = ["--nonblock", folder + "/lock", "true"]
    try process.run()
    process.waitUntilExit()
    return process.terminationStatus == 0
}
