import Foundation
package import Manifests

/// Which files one function's workers may reach, besides the system's and their temporary directory.
package struct FileGrants: Sendable, Equatable {
    package var read: [String]
    package var write: [String]

    /// Looks at the disk: links, first lines, installations.
    ///
    /// - Parameter modules: folders in which its language looks for modules.
    package init(_ manifest: Manifest, home: String, searchPath: [String], modules: [String] = []) {
        var program = ProgramFiles(home: home, searchPath: searchPath)
        if let path = manifest.handler.command.first, path.hasPrefix("/") { program.add(program: path) }
        // Tools that a script calls by their names.
        for folder in searchPath where folder.hasPrefix("/") { program.add(folder: folder) }
        let directory = manifest.handler.directory
        var read = program.paths
        // One that holds the user's home would be no bound at all; `sandbox.read` can say so.
        if !AbsolutePath.covers(directory, home) { read.insert(directory) }
        read.formUnion(modules.filter { $0.hasPrefix("/") })
        read.formUnion(Self.files(namedBy: manifest.handler))
        if let module = PythonModule.folder(for: manifest.handler) { read.insert(module) }
        for case .file(let trigger) in manifest.triggers { read.insert(trigger.watch) }
        read.formUnion(manifest.sandbox.read)

        let carving = Carving(hidden: manifest.sandbox.hidden.map(Self.resolve))
        func pieces(_ paths: some Sequence<String>) -> [String] {
            Set(paths.map(Self.resolve)).sorted().flatMap(carving.pieces)
        }
        self.read = Self.withoutCovered(pieces(read).filter { !SystemFiles.cover($0) })
        write = Self.withoutCovered(pieces(manifest.sandbox.write))
    }

    /// Files that the command itself names, such as the script of an interpreter.
    private static func files(namedBy handler: Handler) -> [String] {
        handler.command.dropFirst().map { AbsolutePath.resolve($0, from: handler.directory) }.filter { path in
            var isFolder: ObjCBool = false
            return FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) && !isFolder.boolValue
        }
    }

    /// Without links, since rules bind to what they lead to; as it stands where there is nothing.
    private static func resolve(_ path: String) -> String {
        guard let resolved = realpath(path, nil) else { return path }
        defer { free(resolved) }
        return String(cString: resolved)
    }

    private static func withoutCovered(_ paths: [String]) -> [String] {
        let paths = Set(paths)
        return paths.filter { path in !paths.contains { $0 != path && AbsolutePath.covers($0, path) } }.sorted()
    }
}
