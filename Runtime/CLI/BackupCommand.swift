import ArgumentParser
import Storage

struct BackupCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "backup", abstract: "Copies the database of a data folder, also while its host runs.",
        discussion: """
            Copies everything that lasts - state, queue, timers, results - as it is at one instant, into one file that is \
            an SQLite database. The file gets its name only when it is whole, checked and on disk. Logs are not in it.

            No host is asked, and none need run: --data names the folder that 'apus serve' has been given; both take .apus \
            where none is named.

            Exits with 66 when there is no database, 65 when it is damaged or not of this Apus, 73 when the file cannot be \
            written or is there already, 75 when another program has locked the database.

            Examples:

              apus backup monday.db
              apus backup /mnt/backups/latest.db --force --data /var/lib/apus
            """)

    @Argument(help: "The file to make.", completion: .file(), transform: Name.read)
    var file: String

    @Option(help: "The host's data folder.", completion: .directory)
    var data = ".apus"

    @Flag(help: "Replace the file where there is one.")
    var force = false

    func run() async throws {
        try await reporting {
            do {
                let copy = try DatabaseCopy(backingUp: data, to: file, replacing: force)
                Terminal.line("backed up \(data) to \(copy.path): \((copy.bytes + 1023) / 1024) KiB, checked")
            } catch let error as StorageError {
                throw Failure(error)
            }
        }
    }
}

struct RestoreCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "restore", abstract: "Puts the database of a backup into a data folder.",
        discussion: """
            No host may have the folder. The backup is copied and checked first; the database that is there gets another \
            name beside it; a folder that was not there is removed again when the restore is refused. Everything is then as it \
            was when the backup was made: what was in the queue runs, also what has run since, and times of timers that \
            have passed since count as missed.

            Exits with 75 when a host has the folder or another program has locked its database, 66 when there is no such \
            file, 65 when it is damaged or not a database of this Apus or an earlier one, 73 when the folder cannot be \
            written, or the file is the folder's own database.

            Examples:

              apus restore monday.db
              apus restore /mnt/backups/latest.db --data /var/lib/apus
            """)

    @Argument(help: "What 'apus backup' has made.", completion: .file(), transform: Name.read)
    var file: String

    @Option(help: "The data folder; it is made where it is missing.", completion: .directory)
    var data = ".apus"

    func run() async throws {
        try await reporting {
            do {
                let restoration = try Restoration(of: file, into: data)
                Terminal.line("restored \(data) from \(file)")
                if let kept = restoration.kept { Terminal.line("what was there before is \(kept)") }
            } catch let error as StorageError {
                throw Failure(error)
            }
        }
    }
}

extension Failure {
    init(_ error: StorageError) {
        let status: Status =
            switch error.code {
            case .inUse: .temporary
            case .missing: .noInput
            case .inaccessible, .full, .readOnly, .exists: .cannotCreate
            case .disk: .inputOutput
            case .newerVersion, .olderVersion, .foreign, .damaged: .data
            case .closed, .failed: .software
            }
        self.init(status, error.description)
    }
}
