import CFaultControl
import Foundation

/// The fault injector's undo log, read: which changes were not durable at its end.
struct UndoLog {
    struct Change {
        enum Kind {
            case created
            /// The link that keeps it; empty when there is none.
            case removed(String)
            case renamed(to: String)
            /// What was there before.
            case written(Data)
        }

        var kind: Kind
        var path: String
        /// Its `sequence` is unique in the log.
        var record: fault_undo
        /// What was written, where the log has that.
        var after: Data?
        /// Pages of it that are durable with what was written there later.
        var safePages: Set<UInt64> = []
        /// Nothing later in the file is durable.
        var isLatest = true
    }

    /// In the order in which they happened.
    private(set) var volatile: [Change] = []

    /// A log that is missing has no changes.
    init(contentsOf path: String) throws {
        guard FileManager.default.fileExists(atPath: path) else { return }
        var reader = Reader(data: try Data(contentsOf: URL(fileURLWithPath: path), options: .alwaysMapped))
        while try reader.next() {}
        volatile = reader.volatile
    }

    private struct Reader {
        private enum State { case pending, durable, lost }

        private let data: Data
        private var offset = 0
        /// With the number that its process gave it.
        private var changes: [(change: Change, number: UInt64, state: State)] = []
        /// Of this process, by number.
        private var paths: [UInt64: String] = [:]
        private var firstOfProcess = 0
        /// Of this process, by its sequence.
        private var bySequence: [UInt64: Int] = [:]
        private var pending: [String: [Int]] = [:]

        init(data: Data) { self.data = data }

        mutating func next() throws -> Bool {
            let size = MemoryLayout<fault_undo>.size
            guard data.count >= offset + size else { return false }
            let record = data.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: offset, as: fault_undo.self) }
            let content = offset + size + Int(record.path)
            let end = content + Int(record.content)
            // The process was killed while it wrote the record, before what that tells of.
            guard data.count >= end else { return false }
            let path = String(decoding: data[(offset + size)..<content], as: UTF8.self)
            offset = end
            try apply(record, path: path, content: data[content..<end])
            return true
        }

        private mutating func apply(_ record: fault_undo, path: String, content: Data) throws {
            switch fault_undo_kind(UInt32(record.kind)) {
            case FAULT_UNDO_BEGIN:
                (paths, bySequence, firstOfProcess) = ([:], [:], changes.count)
            case FAULT_UNDO_FILE: paths[record.file] = path
            case FAULT_UNDO_WRITE: try add(.written(content), record)
            case FAULT_UNDO_WRITTEN:
                if let index = bySequence[record.sequence] { changes[index].change.after = content }
            case FAULT_UNDO_SYNCED: try settle(record, as: .durable)
            case FAULT_UNDO_LOST: try settle(record, as: .lost)
            case FAULT_UNDO_CREATED: try add(.created, record)
            case FAULT_UNDO_REMOVED: try add(.removed(path), record)
            case FAULT_UNDO_RENAMED: try add(.renamed(to: path), record)
            default: throw PowerCut.Damaged(description: "the undo log has a record of kind \(record.kind)")
            }
        }

        private func path(of record: fault_undo) throws -> String {
            guard let path = paths[record.file] else {
                throw PowerCut.Damaged(
                    description: "the undo log has a record of file \(record.file), which is unknown")
            }
            return path
        }

        private mutating func add(_ kind: Change.Kind, _ record: fault_undo) throws {
            let path = try path(of: record)
            bySequence[record.sequence] = changes.count
            pending[path, default: []].append(changes.count)
            var change = Change(kind: kind, path: path, record: record)
            change.record.sequence = UInt64(changes.count)
            if change.isOfName {
                pending[(path as NSString).deletingLastPathComponent, default: []].append(changes.count)
            }
            changes.append((change, record.sequence, .pending))
        }

        private mutating func settle(_ record: fault_undo, as state: State) throws {
            let path = try path(of: record)
            pending[path] = pending[path, default: []].filter { index in
                let (change, number, current) = changes[index]
                guard current == .pending else { return false }
                // What an earlier process has written comes before all of this one's.
                let isEarlier = index < firstOfProcess || number <= record.sequence
                guard isEarlier, !change.needsFolder || change.path != path else { return true }
                changes[index].state = state
                return false
            }
        }

        /// Those that are not durable, without the pages that were written again and are.
        var volatile: [Change] {
            var safe: [String: Set<UInt64>] = [:]
            var result: [Change] = []
            for (change, _, state) in changes.reversed() {
                guard case .written = change.kind else {
                    if state != .durable { result.append(change) }
                    continue
                }
                if state == .durable {
                    safe[change.path, default: []].formUnion(change.pages)
                } else {
                    var change = change
                    if let pages = safe[change.path] { (change.safePages, change.isLatest) = (pages, false) }
                    result.append(change)
                }
            }
            return result.reversed()
        }
    }
}

extension UndoLog.Change {
    /// The pages of its file that it has changed.
    fileprivate var pages: Range<UInt64> {
        record.offset / Self.page..<(record.offset + record.length + Self.page - 1) / Self.page
    }

    private static let page: UInt64 = 4096

    /// Only the sync of its folder makes it durable.
    fileprivate var needsFolder: Bool {
        switch kind {
        case .written, .created: false
        case .removed, .renamed: true
        }
    }

    fileprivate var isOfName: Bool {
        switch kind {
        case .written: false
        case .created, .removed, .renamed: true
        }
    }

    /// The parts of `bytes`, which belong to its offset, that are not on pages which are safe.
    func pieces(of bytes: Data) -> [(offset: UInt64, bytes: Data)] {
        if safePages.isEmpty { return [(record.offset, bytes)] }
        var pieces: [(UInt64, Data)] = []
        var start = record.offset
        let end = record.offset + UInt64(bytes.count)
        while start < end {
            let next = min(end, (start / Self.page + 1) * Self.page)
            let first = bytes.startIndex + Int(start - record.offset)
            if !safePages.contains(start / Self.page) {
                pieces.append((start, bytes[first..<(first + Int(next - start))]))
            }
            start = next
        }
        return pieces
    }
}
