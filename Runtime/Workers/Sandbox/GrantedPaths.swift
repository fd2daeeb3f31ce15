import Manifests
import Synchronization

/// What a manifest grants by name, looked after while workers run: where another file or folder comes to such a path, those
/// who started before may not reach it, since their rules are of the one before.
final class GrantedPaths: Sendable {
    private let paths: [String]
    /// What was there at the last look, or, where nothing is, before: it may come back.
    private let known: Mutex<[FileIdentity?]>

    /// Looks at the disk. `nil` where there is nothing to look after.
    init?(_ manifest: Manifest, on machine: SandboxSupport) {
        let paths = manifest.grantedPaths
        guard !paths.isEmpty, !manifest.handler.contract.isPerCall,
            machine.active(for: manifest.sandbox).contains(.files)
        else { return nil }
        self.paths = paths
        known = Mutex(paths.map(FileIdentity.init))
    }

    /// Those that lead to something else than at the last look. Looks at the disk, which may take long.
    func remade() -> [String] {
        let found = paths.map(FileIdentity.init)
        return known.withLock { known in
            let changed = paths.indices.filter { found[$0] != nil && found[$0] != known[$0] }
            for index in changed { known[index] = found[index] }
            return changed.map { paths[$0] }
        }
    }
}

extension Manifest {
    /// Paths that its workers may reach because it says so, as they stand there.
    var grantedPaths: [String] { watchedPaths + sandbox.read + sandbox.write }

    var watchedPaths: [String] {
        triggers.compactMap { if case .file(let trigger) = $0 { trigger.watch } else { nil } }
    }
}
