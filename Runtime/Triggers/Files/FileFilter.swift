package import Manifests

/// Which paths below the watched folder a trigger wants.
///
/// Without `include`, everything that is not hidden. An `exclude` pattern that describes a directory excludes all that
/// is below it, and its wildcards match hidden names too.
package struct FileFilter: Sendable, Hashable {
    private let include: [Glob]
    private let exclude: [Glob]

    package init(include: [Glob], exclude: [Glob]) {
        self.include = include.isEmpty ? [Glob("**/*")] : include
        self.exclude = exclude
    }

    package func matches(_ path: String) -> Bool {
        include.contains { $0.matches(path) } && !isExcluded(path)
    }

    /// Whether a path below `directory` may match; a directory that cannot hold one needs no watch.
    package func mayMatch(below directory: String) -> Bool {
        include.contains { $0.mayMatch(below: directory) }
            && !isExcluded(directory) && !exclude.contains { $0.matchesAll(below: directory, hidden: true) }
    }

    private func isExcluded(_ path: String) -> Bool {
        guard !exclude.isEmpty else { return false }
        if exclude.contains(where: { $0.matches(path, hidden: true) }) { return true }
        // By bytes: a slash and a combining mark after it are one Character.
        return path.utf8.indices.contains { path.utf8[$0] == UInt8(ascii: "/") && excludes(String(path[..<$0])) }
    }

    private func excludes(_ path: String) -> Bool { exclude.contains { $0.matches(path, hidden: true) } }
}
