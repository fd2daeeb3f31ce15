import Foundation
import Synchronization

/// What happened, in memory for the audit and on disk for whoever looks into a finding: one line of JSON an entry.
package final class History<Entry: Codable & Sendable>: Sendable {
    private let recorded = Mutex<[Entry]>([])
    private let file: FileHandle

    package init(_ path: String) throws {
        guard FileManager.default.createFile(atPath: path, contents: nil), let file = FileHandle(forWritingAtPath: path)
        else { throw HarnessFailure("cannot write \(path)") }
        self.file = file
    }

    package var entries: [Entry] { recorded.withLock { $0 } }

    package func append(_ entry: Entry) {
        let line = (try? JSONEncoder().encode(entry)).map { $0 + Data("\n".utf8) } ?? Data()
        recorded.withLock { recorded in
            recorded.append(entry)
            // A history that cannot be written still is in memory.
            try? file.write(contentsOf: line)
        }
    }
}

/// The host does not do what it must do before anything can be asked of it; a finding.
struct HostFailure: Error {
    let what: String

    init(_ what: String) { self.what = what }
}

/// The harness itself cannot go on.
package struct HarnessFailure: Error, CustomStringConvertible {
    package let description: String

    package init(_ description: String) { self.description = description }
}
