import Events
import Foundation
import GRDB
import Storage
import Support
import Testing

@Suite("Backups")
struct BackupTests {
    @Test("a backup of a store that is written to is one instant of it, in one file for its owner alone")
    func online() async throws {
        try await withStore { (store, data) async throws in
            let writing = Task {
                while !Task.isCancelled {
                    _ = try await store.commit(Commit(effects: .writing(["a": .increment(1), "b": .increment(1)])))
                }
            }
            #expect(try await eventually { try await store.text("a") ?? "0" > "1" })
            let before = try #require(Int(try await store.text("a") ?? ""))
            let copy = try DatabaseCopy(backingUp: data, to: data + ".backup")
            writing.cancel()
            try await writing.value
            #expect(
                try FileManager.default.contentsOfDirectory(atPath: data + "/..").sorted() == ["data", "data.backup"])
            let attributes = try FileManager.default.attributesOfItem(atPath: copy.path)
            #expect(attributes[.posixPermissions] as? Int == 0o600)
            #expect(attributes[.size] as? Int64 ?? 0 == copy.bytes)

            _ = try Restoration(of: copy.path, into: data + "2")
            let restored = try FileManager.default.attributesOfItem(atPath: data + "2/apus.db")
            #expect(restored[.posixPermissions] as? Int == 0o600)
            #expect(try DatabaseCheck(ofDataFolder: data + "2").violations == [])
            try await reopening(data + "2") { (restored) async throws in
                let count = try #require(Int(try await restored.text("a") ?? ""))
                #expect(count >= before)
                #expect(try await restored.text("b") == String(count))
            }
        }
    }

    @Test("a file that is there is left alone, unless it shall be replaced; the database itself always is")
    func existing() async throws {
        try await withStore { (store, data) async throws in
            try await store.put("k", "v")
            let file = data + ".backup"
            try "mine".write(toFile: file, atomically: true, encoding: .utf8)
            let refusal = #expect(throws: StorageError.self) { try DatabaseCopy(backingUp: data, to: file) }
            #expect(refusal?.code == .exists)
            #expect(try String(contentsOfFile: file, encoding: .utf8) == "mine")
            _ = try DatabaseCopy(backingUp: data, to: file, replacing: true)
            let own = #expect(throws: StorageError.self) {
                try DatabaseCopy(backingUp: data, to: data + "/apus.db", replacing: true)
            }
            #expect(own?.code == .exists)
            #expect(try await store.text("k") == "v")
        }
    }

    @Test("a file in a folder that is not there is refused, with what to do")
    func noFolder() async throws {
        try await withStore { (store, data) async throws in
            try await store.put("k", "v")
            let error = #expect(throws: StorageError.self) { try DatabaseCopy(backingUp: data, to: data + "/no/x.db") }
            #expect(error?.code == .inaccessible)
            #expect(error?.message == "there is no folder \(data)/no; make it, or choose another place")
        }
    }

    @Test("what is restored takes the place of what was there, which is kept with what its WAL held")
    func restore() async throws {
        try await withTemporaryFolder { folder in
            let (data, backup) = (folder + "/data", folder + "/backup")
            let store = try Store(directory: data, pragmas: ["wal_autocheckpoint = 0"])
            try await store.put("k", "old")
            _ = try DatabaseCopy(backingUp: data, to: backup)
            try await store.put("k", "new")
            // As after a crash: the WAL has what the file has not.
            let crashed = try copyOfDatabase(from: data, to: folder + "/crashed")
            try store.close()
            let kept = try #require(try Restoration(of: backup, into: crashed).kept)
            try await reopening(crashed) { (store) async throws in #expect(try await store.text("k") == "old") }
            #expect(FileManager.default.fileExists(atPath: kept))
            _ = try Restoration(of: kept, into: folder + "/again")
            try await reopening(folder + "/again") { (store) async throws in #expect(try await store.text("k") == "new")
            }
        }
    }

    @Test("a host starts on what was restored also while another program reads it")
    func readMeanwhile() async throws {
        try await withStore { (store, data) async throws in
            try await store.put("k", "v")
            _ = try DatabaseCopy(backingUp: data, to: data + ".backup")
            let restored = data + "2"
            _ = try Restoration(of: data + ".backup", into: restored)
            #expect(try FileManager.default.contentsOfDirectory(atPath: restored).sorted() == ["apus.db", "lock"])
            let reader = try DatabaseQueue(path: restored + "/apus.db")
            try await reader.read { database in
                #expect(try Int.fetchOne(database, sql: "SELECT count(*) FROM state") == 1)
                try Store(directory: restored).close()
            }
            try reader.close()
            try await reopening(restored) { (store) async throws in #expect(try await store.text("k") == "v") }
        }
    }

    @Test("what a restore that was cut short has left is no part of the next one")
    func cutShort() async throws {
        try await withStore { (store, data) async throws in
            try await store.put("k", "v")
            _ = try DatabaseCopy(backingUp: data, to: data + ".backup")
            let restored = data + "2"
            try FileManager.default.createDirectory(atPath: restored, withIntermediateDirectories: true)
            for end in ["", "-journal", "-wal", "-shm"] {
                try Data(repeating: 0x42, count: 5000).write(
                    to: URL(fileURLWithPath: restored + "/apus.db.restoring" + end))
            }
            _ = try Restoration(of: data + ".backup", into: restored)
            #expect(try FileManager.default.contentsOfDirectory(atPath: restored).sorted() == ["apus.db", "lock"])
            try await reopening(restored) { (store) async throws in #expect(try await store.text("k") == "v") }
        }
    }

    @Test("nothing is restored while the WAL of what is there cannot be emptied, since another program reads it")
    func logInUse() async throws {
        try await withTemporaryFolder { folder in
            let (data, backup) = (folder + "/data", folder + "/backup")
            let store = try Store(directory: data, pragmas: ["wal_autocheckpoint = 0"])
            try await store.put("k", "old")
            _ = try DatabaseCopy(backingUp: data, to: backup)
            try await store.put("k", "new")
            let crashed = try copyOfDatabase(from: data, to: folder + "/crashed")
            try store.close()
            let reader = try DatabaseQueue(path: crashed + "/apus.db")
            let error = try await reader.read { database -> StorageError? in
                _ = try Int.fetchOne(database, sql: "SELECT count(*) FROM state")
                return #expect(throws: StorageError.self) { try Restoration(of: backup, into: crashed) }
            }
            #expect(error?.code == .inUse)
            try reader.close()
            try await reopening(crashed) { (store) async throws in #expect(try await store.text("k") == "new") }
            _ = try Restoration(of: backup, into: crashed)
            try await reopening(crashed) { (store) async throws in #expect(try await store.text("k") == "old") }
        }
    }

    @Test("a folder with a damaged database gets the backup all the same")
    func damaged() async throws {
        try await withTemporaryFolder { folder in
            let (data, backup) = (folder + "/data", folder + "/backup")
            let store = try Store(directory: data)
            try await store.put("k", "v")
            _ = try DatabaseCopy(backingUp: data, to: backup)
            try store.close()
            try Data(repeating: 0x41, count: 9000).write(to: URL(fileURLWithPath: data + "/apus.db"))
            try Data(repeating: 0x42, count: 5000).write(to: URL(fileURLWithPath: data + "/apus.db-wal"))
            let kept = try #require(try Restoration(of: backup, into: data).kept)
            try await reopening(data) { (store) async throws in #expect(try await store.text("k") == "v") }
            #expect(try Data(contentsOf: URL(fileURLWithPath: kept)) == Data(repeating: 0x41, count: 9000))
        }
    }

    @Test("nothing is restored into a folder that is in use, nor from what is missing, foreign, newer or damaged")
    func refusals() async throws {
        try await withStore { (store, data) async throws in
            try await store.put("k", String(repeating: "v", count: 20_000))
            let backup = data + ".backup"
            _ = try DatabaseCopy(backingUp: data, to: backup)
            func refusal(_ file: String, _ folder: String) -> StorageError.Code? {
                let error = #expect(throws: StorageError.self) { try Restoration(of: file, into: folder) }
                return error?.code
            }
            #expect(refusal(backup, data) == .inUse)
            #expect(refusal(data + ".none", data + "2") == .missing)

            let whole = try Data(contentsOf: URL(fileURLWithPath: backup))
            try (whole.prefix(whole.count / 2) + Data(repeating: 7, count: whole.count / 2)).write(
                to: URL(fileURLWithPath: data + ".damaged"))
            #expect(refusal(data + ".damaged", data + "2") == .damaged)

            let other = try DatabaseQueue(path: data + ".other")
            try await other.write { try $0.execute(sql: "CREATE TABLE mine (x)") }
            try other.close()
            #expect(refusal(data + ".other", data + "2") == .foreign)

            let newer = try DatabaseQueue(path: backup)
            try await newer.writeWithoutTransaction { try $0.execute(sql: "PRAGMA user_version = 99") }
            try newer.close()
            #expect(refusal(backup, data + "2") == .newerVersion)
            #expect(!FileManager.default.fileExists(atPath: data + "2"))
        }
    }

    @Test("a restore that is refused leaves nothing where nothing was")
    func nothingLeft() async throws {
        try await withTemporaryFolder { folder in
            let file = folder + "/file"
            try Data(repeating: 0x41, count: 9000).write(to: URL(fileURLWithPath: file))
            try FileManager.default.createDirectory(atPath: folder + "/empty", withIntermediateDirectories: false)
            for data in ["/new", "/empty/below/it", "/empty"] {
                #expect(throws: StorageError.self) { try Restoration(of: file, into: folder + data) }
            }
            #expect(try FileManager.default.subpathsOfDirectory(atPath: folder).sorted() == ["empty", "file"])
        }
    }

    @Test("what the data folder itself works with is no backup of it, and stays as it is")
    func itself() async throws {
        try await withTemporaryFolder { folder in
            let (data, link) = (folder + "/data", folder + "/link")
            let store = try Store(directory: data)
            try await store.put("k", "v")
            try store.close()
            let database = data + "/apus.db"
            try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: database)
            try FileManager.default.copyItem(atPath: database, toPath: database + ".restoring")
            for file in [database, link, data + "/../data/apus.db", database + ".restoring"] {
                let error = #expect(throws: StorageError.self) { try Restoration(of: file, into: data) }
                #expect(error?.code == .exists)
                #expect(error?.message.hasPrefix("\(file) belongs to the data folder \(data) itself; ") == true)
            }
            #expect(FileManager.default.contentsEqual(atPath: database, andPath: database + ".restoring"))
            try await reopening(data) { (store) async throws in #expect(try await store.text("k") == "v") }
        }
    }

    @Test("a backup in the data folder is restored and stays as it is")
    func within() async throws {
        try await withTemporaryFolder { folder in
            let (data, backup) = (folder + "/data", folder + "/data/restored.db")
            let store = try Store(directory: data)
            try await store.put("k", "old")
            _ = try DatabaseCopy(backingUp: data, to: backup)
            try await store.put("k", "new")
            try store.close()
            let before = try Data(contentsOf: URL(fileURLWithPath: backup))
            _ = try Restoration(of: backup, into: data)
            #expect(try Data(contentsOf: URL(fileURLWithPath: backup)) == before)
            try await reopening(data) { (store) async throws in #expect(try await store.text("k") == "old") }
        }
    }

    @Test("who names a file that is no backup is told what is wrong with it, and not what to do about a data folder")
    func unusable() async throws {
        try await withStore { (store, data) async throws in
            try await store.put("k", String(repeating: "v", count: 20_000))
            let file = data + ".file"
            _ = try DatabaseCopy(backingUp: data, to: file)
            let whole = try Data(contentsOf: URL(fileURLWithPath: file))
            func message(_ content: Data) throws -> String {
                try content.write(to: URL(fileURLWithPath: file))
                let error = #expect(throws: StorageError.self) { try Restoration(of: file, into: data + "2") }
                return error?.message ?? ""
            }
            let damaged = whole.prefix(whole.count / 2) + Data(repeating: 7, count: whole.count / 2)
            #expect(try message(damaged) == "\(file) is damaged; take another backup")
            let foreign = "\(file) is not a backup of Apus; name a file that 'apus backup' has made"
            #expect(try message(Data(repeating: 0x41, count: 9000)) == foreign)
            #expect(try message(Data()) == foreign)
            #expect(!FileManager.default.fileExists(atPath: data + "2"))
        }
    }

    @Test("who backs up where no database is, or nothing in it yet, is told how to name another folder")
    func nothingToBackUp() async throws {
        try await withTemporaryFolder { folder in
            func refusal() -> StorageError? {
                return #expect(throws: StorageError.self) {
                    try DatabaseCopy(backingUp: folder, to: folder + "/backup")
                }
            }
            let missing = refusal()
            #expect(missing?.code == .missing)
            #expect(missing?.message == "there is no \(folder)/apus.db; name the host's data folder with --data")
            try Data().write(to: URL(fileURLWithPath: folder + "/apus.db"))
            let empty = refusal()
            #expect(empty?.code == .foreign && empty?.message.contains("--data") == true)
            #expect(!FileManager.default.fileExists(atPath: folder + "/backup"))
        }
    }
}
