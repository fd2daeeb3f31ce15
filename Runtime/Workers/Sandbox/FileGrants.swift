package import Manifests

/// Which files one function's workers may reach, besides their temporary directory and, but for what is hidden in it, the
/// system's.
package struct FileGrants: Sendable, Equatable {
    package var read: [String] = []
    package var write: [String] = []
    /// Folders of which only the names may be read, anywhere below too: some of what is in them is hidden.
    package var list: [String] = []
    /// Of the system's, those that fell apart; what is left of them is in the others.
    package var withoutSystem: Set<String> = []

    /// Looks at the disk: links, first lines, installations.
    ///
    /// - Parameter modules: folders in which its language looks for modules.
    package init(_ manifest: Manifest, home: String, searchPath: [String], modules: [String] = []) {
        let sandbox = manifest.sandbox
        let hidden = Carving(hidden: HiddenPaths(Set(sandbox.hidden.map(RealPath.resolve))))
        let others = sandbox.neighbourhood.map { Carving(hidden: $0.files, but: OwnFiles.open(to: manifest)) }
        func pieces(_ path: String, from neighbours: Carving?) -> Carving.Pieces {
            var pieces = Carving.Pieces()
            neighbours?.carve(path, into: &pieces)
            let parts = neighbours == nil ? [path] : pieces.whole
            return parts.filter { !hidden.hides($0) }.reduce(into: Carving.Pieces(listed: pieces.listed)) {
                hidden.carve($1, into: &$0)
            }
        }

        var read = Carving.Pieces()
        for rule in SystemFiles.rules {
            let pieces = pieces(rule.path, from: others)
            if pieces.whole == [rule.path] { continue }
            withoutSystem.insert(rule.path)
            read += pieces
        }
        for path in Self.needs(of: manifest, home, searchPath, modules) { read += pieces(path, from: others) }
        // What a manifest grants, it means.
        for path in Self.granted(by: manifest) { read += pieces(path, from: nil) }
        var write = Carving.Pieces()
        for path in sandbox.write { write += pieces(RealPath.resolve(path), from: nil) }

        let system = Set(SystemFiles.rules.map(\.path)).subtracting(withoutSystem)
        self.read = Self.withoutCovered(read.whole.filter { !AbsolutePath.covers(system, $0) })
        self.write = Self.withoutCovered(write.whole)
        list = Set(read.listed + write.listed).sorted()
    }

    /// What it runs, and where.
    private static func needs(
        of manifest: Manifest, _ home: String, _ searchPath: [String], _ modules: [String]
    ) -> Set<String> {
        let handler = manifest.handler
        var program = ProgramFiles(home: home, searchPath: searchPath)
        if let path = handler.command.first, path.hasPrefix("/") { program.add(program: path) }
        // Tools that a script calls by their names.
        for folder in searchPath where folder.hasPrefix("/") { program.add(folder: folder) }
        var paths = program.paths.union(modules.filter { $0.hasPrefix("/") })
        if let module = PythonModule.folder(for: handler) { paths.insert(module) }
        // A product is found without its directory. One that holds the user's home would be no bound at all; `sandbox.read`
        // can say so.
        if handler.product == nil || handler.namesDirectory, !AbsolutePath.covers(handler.directory, home) {
            paths.insert(handler.directory)
        }
        return Set(paths.map(RealPath.resolve))
    }

    /// What its manifest names: files of its command, such as the script of an interpreter; what it is to watch; and more.
    private static func granted(by manifest: Manifest) -> Set<String> {
        let paths = manifest.watchedPaths + manifest.sandbox.read
        return OwnFiles.named(by: manifest.handler).union(paths.map(RealPath.resolve))
    }

    private static func withoutCovered(_ paths: [String]) -> [String] {
        let paths = Set(paths)
        return paths.filter { !AbsolutePath.folders(above: $0).contains(where: paths.contains) }.sorted()
    }
}
