import CProcess
import Glibc
import Manifests
import Synchronization

/// The file rules of functions, as Landlock rulesets.
final class FilePlan: Sendable {
    static let shared = FilePlan()

    /// Links and first lines of programs are looked at again after this.
    private static let kept = Duration.seconds(2)
    /// Functions of which the grants are remembered.
    private static let most = 1024

    private struct Known {
        var handler: Handler
        /// A reload may follow a change at once.
        var program: ProgramStamp?
        var sandbox: Sandbox
        var neighbours: HiddenPaths?
        /// What its granted paths lead to: workers that start because that is another must not get the rules of the one before.
        var granted: [FileIdentity?]
        var grants: FileGrants
        /// Of the folders that are granted by what is in them.
        var listed: [FolderStamp?]
        var until: ContinuousClock.Instant
    }

    private let known = Mutex<[String: Known]>([:])

    /// A new ruleset for one worker, to be closed by the caller; -1 when nothing is to be ruled.
    func ruleset(
        for manifest: Manifest, _ surroundings: WorkerEnvironment, _ endpoints: Endpoints, on machine: SandboxSupport
    ) throws(CallFailure) -> Int32 {
        let active = machine.active(for: manifest.sandbox)
        let files = active.contains(.files) ? apus_file_rights(Int32(machine.landlock)) : 0
        let hasPorts = active.contains(.network) && manifest.sandbox.network == .none && endpoints != .none
        let ports = hasPorts ? UInt64(APUS_PORT_LISTEN.rawValue | APUS_PORT_CONNECT.rawValue) : 0
        let scopes: Int32 = active.contains(.signals) ? 1 : 0
        guard files != 0 || ports != 0 || scopes != 0 else { return -1 }
        let ruleset = apus_ruleset(files, ports, scopes)
        guard ruleset >= 0 else { throw Self.failure("landlock_create_ruleset", -ruleset) }
        do throws(CallFailure) {
            if files != 0 { try grant(manifest, surroundings, rights: files, in: ruleset) }
            if ports != 0 { try Self.grant(endpoints, in: ruleset) }
        } catch {
            close(ruleset)
            throw error
        }
        return ruleset
    }

    private func grant(
        _ manifest: Manifest, _ surroundings: WorkerEnvironment, rights: UInt64, in ruleset: Int32
    ) throws(CallFailure) {
        let grants = grants(for: manifest, surroundings)
        for rule in SystemFiles.rules where !grants.withoutSystem.contains(rule.path) {
            try Self.check("landlock_add_rule", apus_ruleset_grant(ruleset, rule.descriptor, rule.rights & rights))
        }
        for path in grants.list { try Self.grant(path, SystemFiles.listRights & rights, in: ruleset) }
        for path in grants.read { try Self.grant(path, SystemFiles.readRights & rights, in: ruleset) }
        // All but making devices.
        let written = rights & ~UInt64(1 << 6 | 1 << 11)
        for path in grants.write + [surroundings.temporaryDirectory] { try Self.grant(path, written, in: ruleset) }
    }

    private func grants(for manifest: Manifest, _ surroundings: WorkerEnvironment) -> FileGrants {
        let now = ContinuousClock.now
        let program = manifest.handler.command.first.flatMap(ProgramStamp.init)
        let neighbours = manifest.sandbox.neighbourhood?.files
        let granted = manifest.grantedPaths.map(FileIdentity.init)
        let remembered = known.withLock { $0[manifest.name] }
        if let remembered, remembered.until > now, remembered.handler == manifest.handler,
            remembered.program == program, remembered.sandbox == manifest.sandbox,
            remembered.neighbours == neighbours, remembered.granted == granted,
            remembered.listed == remembered.grants.list.map(FolderStamp.init)
        {
            return remembered.grants
        }
        func folders(_ variable: String) -> [String] {
            (surroundings.variables[variable] ?? "").split(separator: ":").map(String.init)
        }
        let grants = FileGrants(
            manifest, home: WorkerEnvironment.home, searchPath: folders("PATH"), modules: folders("PYTHONPATH"))
        known.withLock { known in
            if known.count >= Self.most { known = known.filter { $0.value.until > now } }
            known[manifest.name] = Known(
                handler: manifest.handler, program: program, sandbox: manifest.sandbox,
                neighbours: neighbours, granted: granted, grants: grants, listed: grants.list.map(FolderStamp.init),
                until: now + Self.kept)
        }
        return grants
    }

    private static func grant(_ path: String, _ rights: UInt64, in ruleset: Int32) throws(CallFailure) {
        let descriptor = apus_open_path(path)
        // What has gone needs no rule.
        if descriptor == -ENOENT { return }
        guard descriptor >= 0 else { throw failure("open \(path)", -descriptor) }
        let outcome = apus_ruleset_grant(ruleset, descriptor, apus_fitting_rights(descriptor, rights))
        close(descriptor)
        // Of a file system that has no files of its own, such as that of pipes.
        if outcome == -EBADFD { return }
        try check("landlock_add_rule \(path)", outcome)
    }

    private static func grant(_ endpoints: Endpoints, in ruleset: Int32) throws(CallFailure) {
        for (ports, right) in [(endpoints.listen, APUS_PORT_LISTEN), (endpoints.connect, APUS_PORT_CONNECT)] {
            for port in ports {
                let outcome = apus_ruleset_grant_port(ruleset, UInt16(clamping: port), UInt64(right.rawValue))
                try check("landlock_add_rule for port \(port)", outcome)
            }
        }
    }

    private static func check(_ step: String, _ outcome: Int32) throws(CallFailure) {
        guard outcome == 0 else { throw failure(step, -outcome) }
    }

    private static func failure(_ step: String, _ error: Int32) -> CallFailure {
        CallFailure(
            .startFailed,
            "the sandbox cannot be set up: \(step): \(describe(error)); 'sandbox: off' in the manifest does without")
    }
}
