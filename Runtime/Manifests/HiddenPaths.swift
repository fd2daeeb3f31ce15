import Synchronization

/// Absolute paths without links that are kept from somebody, made to be asked what lies below a folder: there may be tens of
/// thousands of them.
package struct HiddenPaths: Sendable, Equatable {
    package let paths: Set<String>
    /// How many of them lie below a folder.
    private let below: [String: Int]

    package init(_ paths: Set<String> = []) {
        self.paths = paths
        below = paths.reduce(into: [:]) { below, path in
            for folder in AbsolutePath.folders(above: path) { below[folder, default: 0] += 1 }
        }
    }

    package func contains(_ path: String) -> Bool { paths.contains(path) }

    /// Whether it is one of them, or lies below one.
    package func cover(_ path: String) -> Bool { AbsolutePath.covers(paths, path) }

    package func count(below folder: String) -> Int { below[folder] ?? 0 }
}

/// What belongs to one function each, of all that a host runs, and is kept from the others.
///
/// There is one in the life of a host, whatever it runs, so that functions that stay as they are learn of new neighbours.
package final class Neighbourhood: Sendable, Equatable {
    private struct Contents {
        var files = HiddenPaths()
        /// Those of the set that last ran alone.
        var settled: Set<String> = []
    }

    private let contents = Mutex(Contents())

    package init() {}

    package var files: HiddenPaths { contents.withLock { $0.files } }

    /// While one set of functions takes the place of another, both run.
    package func add(_ paths: Set<String>) { show(paths.union(files.paths)) }

    /// One set runs alone now.
    package func replace(with paths: Set<String>) {
        show(paths)
        contents.withLock { $0.settled = paths }
    }

    /// What was added since does not run after all.
    package func revert() { show(contents.withLock { $0.settled }) }

    private func show(_ paths: Set<String>) {
        guard paths != files.paths else { return }
        let files = HiddenPaths(paths)
        contents.withLock { $0.files = files }
    }

    package static func == (one: Neighbourhood, other: Neighbourhood) -> Bool { one === other }
}
