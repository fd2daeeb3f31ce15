import Events
import Manifests
package import Storage

/// What happened to one file since it was last known. Paths are relative to the watched folder.
package enum FileChange: Sendable, Hashable {
    case created(FilePath, FileStamp)
    case modified(FilePath, FileStamp)
    /// With the stamp that it had when it was last seen.
    case deleted(FilePath, FileStamp)
    case moved(FilePath, from: FilePath, FileStamp)

    /// The events that a trigger gets that asks for `kinds`. One that does not ask for `moved` sees a rename as the
    /// old name's end and the new name's beginning.
    func events(of kinds: Set<FileTrigger.Kind>) -> [FileChange] {
        switch self {
        case .created: kinds.contains(.created) ? [self] : []
        case .modified: kinds.contains(.modified) ? [self] : []
        case .deleted: kinds.contains(.deleted) ? [self] : []
        case .moved(let path, let old, let stamp):
            kinds.contains(.moved)
                ? [self] : [FileChange.deleted(old, stamp), .created(path, stamp)].flatMap { $0.events(of: kinds) }
        }
    }

    private var parts: (kind: FileTrigger.Kind, path: FilePath, old: FilePath?, stamp: FileStamp) {
        switch self {
        case .created(let path, let stamp): (.created, path, nil, stamp)
        case .modified(let path, let stamp): (.modified, path, nil, stamp)
        case .deleted(let path, let stamp): (.deleted, path, nil, stamp)
        case .moved(let path, let old, let stamp): (.moved, path, old, stamp)
        }
    }

    /// The CloudEvent for the trigger `source` that watches `folder`.
    ///
    /// Its id names the path, the state that it is in and the moment at which that was noticed: a file that is moved
    /// away and back is in the same state twice, and both are news. A batch that is recorded again after an error keeps
    /// its events, and so their ids.
    func event(source: String, folder: String, noticed: WallTime) -> Event {
        let (kind, path, old, stamp) = parts
        let state = [stamp.inode, UInt64(bitPattern: stamp.size), UInt64(bitPattern: stamp.modified)]
            .map { String($0, radix: 16) }.joined(separator: "-")
        var extensions = [
            "path": "\(folder)/\(path)", "name": path.text, "watch": folder, "size": String(stamp.size),
            "modified": WallTime(milliseconds: stamp.modified.flooredDivision(by: 1_000_000)).description,
        ]
        if let old {
            extensions["oldpath"] = "\(folder)/\(old)"
            extensions["oldname"] = old.text
        }
        return Event(
            id: "\(kind.rawValue)-\(noticed.milliseconds)-\(state)-\(path)", source: source,
            type: "apus.file.\(kind.rawValue)", subject: path.text, time: noticed, extensions: extensions)
    }
}

/// Changes that are recorded as one transaction: what the index becomes, and what is told.
package struct FileBatch: Sendable, Hashable {
    /// New stamps by path; `nil` where the file is gone.
    package var index: [FilePath: FileStamp?] = [:]
    package var changes: [FileChange] = []

    package init() {}

    package var isEmpty: Bool { index.isEmpty }

    mutating func add(_ change: FileChange) {
        changes.append(change)
        switch change {
        case .created(let path, let stamp), .modified(let path, let stamp): index.updateValue(stamp, forKey: path)
        case .deleted(let path, _): index.updateValue(nil, forKey: path)
        case .moved(let path, let old, let stamp):
            index.updateValue(nil, forKey: old)
            index.updateValue(stamp, forKey: path)
        }
    }
}
