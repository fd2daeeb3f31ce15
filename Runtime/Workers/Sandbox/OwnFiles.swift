package import Manifests

/// What of the disk belongs to one function.
package enum OwnFiles {
    /// What is kept from other functions: its manifest, its directory, and what its command names in that or beside the
    /// manifest. What is installed for the whole system is nobody's own.
    package static func kept(of manifest: Manifest) -> Set<String> {
        let handler = manifest.handler
        let directory = RealPath.resolve(handler.directory)
        // One that holds the home of the host's user is that of many things.
        let home = WorkerEnvironment.home
        let folders =
            [directory].filter { !AbsolutePath.covers($0, home) }
            + [RealPath.resolve(AbsolutePath.parent(manifest.file))]
        let named = named(by: handler).filter { file in folders.contains { AbsolutePath.covers($0, file) } }
        return named.union([directory]).filter { !SystemFiles.isInstalled($0) }.union([RealPath.resolve(manifest.file)])
    }

    /// What it may reach of that, whoever else names it.
    static func open(to manifest: Manifest) -> Set<String> {
        let handler = manifest.handler
        return named(by: handler).union([handler.directory, manifest.file].map(RealPath.resolve))
    }

    /// Files that the command names, its program among them.
    static func named(by handler: Handler) -> Set<String> {
        let program = handler.command.first.map { AbsolutePath.resolve($0, from: handler.directory) }
        return Set(([program].compactMap(\.self) + handler.namedFiles).compactMap(RealPath.file))
    }
}
