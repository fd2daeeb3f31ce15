/// What a function noted of one event of a file. Each content has a size of its own, so that the size names it.
package struct FileNote: Sendable, Hashable, Codable {
    package enum Change: String, Sendable, Codable {
        case created, modified, deleted, moved
    }

    package var change: Change
    package var name: String
    /// Where a moved file was before.
    package var oldName: String?
    package var size: Int

    package init(_ change: Change, _ name: String, from oldName: String? = nil, size: Int) {
        self.change = change
        self.name = name
        self.oldName = oldName
        self.size = size
    }
}

/// Each file that is there was told of once in its last state, and names appear and go in turns.
package enum FileAudit {
    /// - Parameters:
    ///   - notes: how often each event was completed.
    ///   - files: sizes of the files that are there in the end, by name.
    package static func check(_ notes: [FileNote: Int], files: [String: Int]) -> Verdict {
        var verdict = Verdict()
        verdict.acknowledged = notes.values.reduce(0, +)
        var there: [String: Int] = [:]
        var told: [String: Int] = [:]
        for (note, count) in notes {
            switch note.change {
            case .created: there[note.name, default: 0] += count
            case .deleted: there[note.name, default: 0] -= count
            case .moved:
                there[note.name, default: 0] += count
                if let old = note.oldName { there[old, default: 0] -= count }
            case .modified: break
            }
            if note.change != .deleted, files[note.name] == note.size { told[note.name, default: 0] += count }
        }
        for (name, size) in files.sorted(by: { $0.key < $1.key }) {
            verdict.judge("the last state of \(name), \(size) bytes,", .acknowledged, applied: told[name] ?? 0)
        }
        for name in Set(there.keys).union(files.keys).sorted() {
            let expected = files[name] == nil ? 0 : 1
            let balance = there[name] ?? 0
            if balance != expected {
                verdict.found(
                    balance < expected ? .lost : .doubled,
                    "\(name) is \(expected == 1 ? "there" : "gone"), and it was told to come \(balance) times more often "
                        + "than to go")
            }
        }
        return verdict
    }
}
