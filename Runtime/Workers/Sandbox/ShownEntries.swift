import Glibc
package import Manifests
import Synchronization

/// What is in folders and not hidden. Kept until names come or go, since there may be tens of thousands of them in one, of
/// which the workers of each function see few.
package final class ShownEntries: Sendable {
    package static let shared = ShownEntries()

    /// Folders that are remembered.
    private static let most = 64

    /// Some functions hide also other things than their neighbours.
    private struct Place: Hashable {
        let folder: String
        let hidden: Int
    }

    private struct Known {
        var stamp: FolderStamp
        var hidden: HiddenPaths
        var paths: [String]
    }

    private let known = Mutex<[Place: Known]>([:])
    private let list: @Sendable (String) -> [String]

    /// - Parameter list: gives the names in a folder that are no links: those lead to what has a rule of its own, or none.
    package init(list: @escaping @Sendable (String) -> [String] = { FolderListing.names(in: $0, withLinks: false) }) {
        self.list = list
    }

    /// - Parameter now: in seconds since 1970.
    package func paths(in folder: String, without hidden: HiddenPaths, now: Int = time(nil)) -> [String] {
        let stamp = FolderStamp(folder)
        let place = Place(folder: folder, hidden: hidden.count(below: folder))
        let last = known.withLock { $0[place] }
        if let last, last.stamp == stamp, last.hidden == hidden { return last.paths }
        let start = folder == "/" ? "" : folder
        let paths = list(folder).map { "\(start)/\($0)" }.filter { !hidden.contains($0) }.sorted()
        guard let stamp, !stamp.isFresh(at: now) else { return paths }
        known.withLock { known in
            if known.count >= Self.most, known[place] == nil { known = [:] }
            known[place] = Known(stamp: stamp, hidden: hidden, paths: paths)
        }
        return paths
    }
}
