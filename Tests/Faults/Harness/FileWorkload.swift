package import FaultChecking
import Foundation
import Synchronization

/// Files that are written, replaced, renamed and removed in a watched folder, also while the host is down.
package final class FileWorkload: Workload {
    package static let name = "files"
    /// One, since it must know what is there.
    package static let clients = 1
    private static let most = 30

    private let place: Place
    private let files = Mutex<[String: Int]>([:])
    private let sizes = Atomic<Int>(0)

    private var folder: String { place.folder + "/watched" }

    package init(_ place: Place) throws {
        self.place = place
        try FileManager.default.createDirectory(atPath: place.folder + "/watched", withIntermediateDirectories: true)
    }

    package var manifests: [String: String] {
        [
            "files": """
            name: files
            \(place.handler)
            triggers: [{ file: { watch: \(folder), settle: 50ms } }]
            \(place.policies)
            """
        ]
    }

    package func step(_ client: Client, id: String, _ random: inout SeededGenerator) {
        let names = files.withLock { $0.keys.sorted() }
        let known = names.isEmpty ? nil : names[random.below(names.count)]
        // A name comes back only with another size, so that each state of a file is unlike all others.
        let size = sizes.add(1, ordering: .relaxed).newValue
        switch (random.below(10), known) {
        case (0..<2, let name?): write(name, size, replacing: false)
        case (2..<4, let name?): write(name, size, replacing: true)
        case (4..<6, let name?): move(name, to: "\(id).txt")
        case (6..<8, let name?): remove(name)
        case _ where names.count < Self.most: write("\(id).txt", size, replacing: random.chance(50))
        default: break
        }
        usleep(10_000 + UInt32(random.below(60_000)))
    }

    /// - Parameter replacing: as careful programs do it, by a rename.
    private func write(_ name: String, _ size: Int, replacing: Bool) {
        let url = URL(fileURLWithPath: "\(folder)/\(name)")
        let content = Data(repeating: UInt8(ascii: "x"), count: size)
        do {
            if replacing {
                let hidden = URL(fileURLWithPath: "\(folder)/.\(name)")
                try content.write(to: hidden)
                guard rename(hidden.path, url.path) == 0 else { return }
            } else {
                try content.write(to: url)
            }
            files.withLock { $0[name] = size }
        } catch {
            // The disk is full, or the like: the next step may fare better, and the audit asks for what is there.
        }
    }

    private func move(_ name: String, to other: String) {
        guard rename("\(folder)/\(name)", "\(folder)/\(other)") == 0 else { return }
        files.withLock { files in
            files[other] = files[name]
            files[name] = nil
        }
    }

    private func remove(_ name: String) {
        guard unlink("\(folder)/\(name)") == 0 else { return }
        files.withLock { $0[name] = nil }
    }

    package func audit(_ state: FinalState) throws -> Verdict {
        let notes = try state.numbers("files", "note/").compactMap { text, count -> (FileNote, Int)? in
            let parts = text.split(separator: "|", omittingEmptySubsequences: false).map(String.init)
            guard parts.count == 4, let change = FileNote.Change(rawValue: parts[0]) else { return nil }
            let old = parts[2].isEmpty ? nil : parts[2]
            return (FileNote(change, parts[1], from: old, size: Int(parts[3]) ?? -1), count)
        }
        return FileAudit.check(Dictionary(notes) { $0 + $1 }, files: files.withLock { $0 })
    }
}
