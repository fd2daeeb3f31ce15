package import Manifests
import Synchronization

/// What is in folders and not hidden. Kept until names come or go, since there may be tens of thousands of them in one, of
/// which the workers of each function see few.
package final class ShownEntries: Sendable {
    package static let shared = ShownEntries()

    /// Folders that are remembered.
    private static let most = 64

    private struct Known {
        var stamp: FolderStamp
        var hidden: HiddenPaths
        var paths: [String]
    }

    private let known = Mutex<[String: Known]>([:])

    package init() {}

    /// Without links: they lead to what has a rule of its own, or none.
    package func paths(in folder: String, without hidden: HiddenPaths) -> [String] {
        let stamp = FolderStamp(folder)
        let last = known.withLock { $0[folder] }
        if let last, last.stamp == stamp, last.hidden == hidden { return last.paths }
        let start = folder == "/" ? "" : folder
        let paths = FolderListing.names(in: folder, withLinks: false).map { "\(start)/\($0)" }
            .filter { !hidden.contains($0) }.sorted()
        guard let stamp, !stamp.isFresh else { return paths }
        known.withLock { known in
            if known.count >= Self.most, known[folder] == nil { known = [:] }
            known[folder] = Known(stamp: stamp, hidden: hidden, paths: paths)
        }
        return paths
    }
}
