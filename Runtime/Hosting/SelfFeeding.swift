import Manifests
import Triggers
import Workers

/// File triggers that would feed themselves: each event makes the host write to its data folder, so a trigger that sees
/// that folder would fire for ever.
struct SelfFeeding {
    /// One line a trigger that watches the data folder.
    let problems: [String]

    /// - Parameter data: the data folder, which exists.
    init(_ manifests: [Manifest], data: String) {
        let data = RealPath.resolve(data)
        problems = manifests.flatMap { manifest in
            manifest.triggers.compactMap { trigger in
                guard case .file(let file) = trigger, Self.sees(data, file) else { return nil }
                return "function '\(manifest.name)' watches \(file.watch), and the host's data folder \(data) is in "
                    + "there: each event would cause the next; exclude it, or choose another folder with --data"
            }
        }
    }

    private static func sees(_ data: String, _ trigger: FileTrigger) -> Bool {
        let watched = RealPath.resolve(trigger.watch)
        guard let inside = path(of: data, below: watched) else {
            return path(of: watched, below: data + "/logs") != nil
        }
        return inside.isEmpty || FileFilter(include: trigger.include, exclude: trigger.exclude).mayMatch(below: inside)
    }

    /// Relative to `folder`, empty for itself; `nil` when it is elsewhere.
    private static func path(of path: String, below folder: String) -> String? {
        if path == folder { return "" }
        let prefix = folder == "/" ? "/" : folder + "/"
        return path.hasPrefix(prefix) ? String(path.dropFirst(prefix.count)) : nil
    }
}
