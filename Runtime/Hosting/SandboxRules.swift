import Manifests
import Workers

/// What the host asks of sandboxes, beyond what one manifest can say.
struct SandboxRules {
    private let data: String
    private let isFullRequired: Bool
    private let neighbourhood = Neighbourhood()

    /// - Parameter data: the data folder, which exists.
    init(data: String, isFullRequired: Bool) {
        self.data = RealPath.resolve(data)
        self.isFullRequired = isFullRequired
    }

    /// The manifests as they are run next: the data folder is hidden from all of them, and from each what is another's,
    /// be it of those that run now or of those that run then, until `settle` or `revert`.
    func applied(to manifests: [Manifest]) -> [Manifest] {
        neighbourhood.add(Self.files(of: manifests))
        return manifests.map { manifest in
            var manifest = manifest
            manifest.sandbox.hidden = [data]
            manifest.sandbox.neighbourhood = neighbourhood
            return manifest
        }
    }

    /// Only these run now.
    func settle(on manifests: [Manifest]) { neighbourhood.replace(with: Self.files(of: manifests)) }

    /// They do not run after all: those that ran before go on alone.
    func revert() { neighbourhood.revert() }

    private static func files(of manifests: [Manifest]) -> Set<String> {
        manifests.reduce(into: []) { $0.formUnion(OwnFiles.kept(of: $1)) }
    }

    /// One line a manifest and problem.
    func problems(in manifests: [Manifest]) -> [String] {
        manifests.flatMap { manifest -> [String] in
            let sandbox = manifest.sandbox
            guard sandbox.enabled else {
                let line = "function '\(manifest.name)' has 'sandbox: off', and --require-sandbox full allows none"
                return isFullRequired ? [line] : []
            }
            return (sandbox.read + sandbox.write).filter { AbsolutePath.covers(data, RealPath.resolve($0)) }.map {
                "function '\(manifest.name)' may reach \($0) (sandbox), which is in the host's data folder \(data); "
                    + "name another, or choose another data folder with --data"
            }
        }
    }

    /// What the machine lacks, one line a protection.
    static func missing(on machine: SandboxSupport) -> [String] {
        Sandbox.Protection.allCases.compactMap { protection in
            machine.obstacle(to: protection).map { "\(protection.rawValue): \($0)" }
        }
    }

    /// Makes sure that the machine lacks nothing.
    static func require(on machine: SandboxSupport) throws {
        let missing = missing(on: machine)
        guard !missing.isEmpty else { return }
        throw StartFailure(
            .sandbox,
            "this machine cannot have all that --require-sandbox full asks for; provide it, or run without the option:\n"
                + missing.joined(separator: "\n"))
    }
}
