import CProcess
package import Manifests

/// Which protections this machine has, for the user who runs the host.
package struct SandboxSupport: Sendable, Equatable {
    /// Landlock's ABI; 0 for none.
    package var landlock: Int
    /// Whether refused system calls can be answered one by one.
    package var hasListeners: Bool
    /// Whether such an answer can be a socket.
    package var hasSocketAnswers: Bool
    package var canDropCapabilities: Bool
    /// Whether the host hears what Landlock refuses, while the kernel audits.
    package var hearsRefusals: Bool

    package init(
        landlock: Int, hasListeners: Bool, hasSocketAnswers: Bool, canDropCapabilities: Bool, hearsRefusals: Bool
    ) {
        self.landlock = landlock
        self.hasListeners = hasListeners
        self.hasSocketAnswers = hasSocketAnswers
        self.canDropCapabilities = canDropCapabilities
        self.hearsRefusals = hearsRefusals
    }

    package static let machine = SandboxSupport(
        landlock: Int(apus_landlock_abi()), hasListeners: apus_has_listeners() != 0,
        hasSocketAnswers: apus_has_socket_answers() != 0, canDropCapabilities: apus_can_drop_capabilities() != 0,
        hearsRefusals: AuditListener.shared != nil)

    /// What keeps the machine from having `protection`, and what to do; `nil` when it has it.
    package func obstacle(to protection: Sandbox.Protection) -> String? {
        switch protection {
        case .files:
            landlock >= 3
                ? nil
                : "the kernel has \(landlock == 0 ? "no Landlock" : "Landlock without truncation"); it takes Linux 6.2 "
                    + "with Landlock among its security modules (lsm=landlock,…)"
        case .network:
            hasPorts
                ? nil : "it takes Linux 6.7 with Landlock among its security modules, and seccomp's listeners"
        case .signals: landlock >= 6 ? nil : "it takes Linux 6.12 with Landlock among its security modules"
        case .calls: hasListeners ? nil : "it takes Linux 5.5 with seccomp and its listeners"
        case .privileges:
            canDropCapabilities ? nil : "the host has capabilities but not CAP_SETPCAP; run it as an ordinary user"
        case .processes, .memory: nil
        }
    }

    /// How it does it for a function, in the control groups that the host has been given, if it has.
    private func means(of protection: Sandbox.Protection, for manifest: Manifest, in groups: ControlGroups?) -> String {
        let groups = groups?.hold(manifest) == true ? groups : nil
        switch protection {
        case .files: return "Landlock ABI \(landlock), \(logging)"
        case .signals: return "Landlock ABI \(landlock)"
        case .network where manifest.sandbox.network == .loopback: return "sockets on the loopback device"
        case .network where hasPorts: return "no sockets but to the host, Landlock ABI \(landlock)"
        case .network: return "no sockets; the worker API, which takes Linux 6.7 with Landlock, is not there"
        case .calls: return "seccomp"
        case .privileges: return "no capabilities"
        case .processes:
            let bound = groups?.boundProcesses == true ? "bounded by their control group" : "counted by the host"
            return bound + ", ended with their worker"
        case .memory:
            guard let groups else { return "RLIMIT_DATA for each process, watched by the host for all of them" }
            let share = groups.shareProcessor ? ", with an equal share of the processor for each function" : ""
            return "RLIMIT_DATA for each process, a control group for all of them" + share
        }
    }

    /// Whether what Landlock refuses gets into the log.
    private var logging: String {
        if hearsRefusals { return "refusals logged while the kernel audits (auditctl -e 1)" }
        return landlock >= 7 ? "refusals not logged (CAP_AUDIT_READ)" : "refusals not logged (Linux 6.15)"
    }

    /// Whether workers can be held to certain TCP ports.
    private var hasPorts: Bool { hasSocketAnswers && landlock >= 4 }

    /// Whether a worker may be told of the worker API, which is a TCP port that no other may be reached beside.
    package func hasWorkerAPI(for sandbox: Sandbox) -> Bool {
        !active(for: sandbox).contains(.network) || sandbox.network != .none || hasPorts
    }

    /// What protects a function with these settings here. Old kernels have less of `files`, and that is used too.
    package func active(for sandbox: Sandbox) -> Set<Sandbox.Protection> {
        guard sandbox.enabled else { return [] }
        let active = Sandbox.Protection.allCases.filter { protection in
            if protection == .network { return sandbox.network != .full && hasMeans(for: sandbox.network) }
            if protection == .files { return landlock >= 1 }
            return obstacle(to: protection) == nil
        }
        return Set(active).subtracting(sandbox.lifted)
    }

    /// Why a function cannot have the bounds that its manifest asks for; `nil` when it can.
    ///
    /// - Parameter needsPorts: whether the host speaks with its workers over TCP, by their contract.
    package func refusal(of sandbox: Sandbox, needsPorts: Bool = false) -> String? {
        guard sandbox.enabled, sandbox.network != .full, !sandbox.lifted.contains(.network) else { return nil }
        guard !hasMeans(for: sandbox.network, needsPorts: needsPorts), let reason = obstacle(to: .network) else {
            return nil
        }
        return "this machine cannot hold a worker to 'sandbox.network: \(sandbox.network.rawValue)': \(reason); "
            + "or write 'network: full'"
    }

    private func hasMeans(for network: Sandbox.Network, needsPorts: Bool = false) -> Bool {
        switch network {
        case .full: true
        case .none: needsPorts ? hasPorts : hasListeners
        case .loopback: hasSocketAnswers
        }
    }

    /// What a function's sandbox has here and what it lacks, for people.
    package func report(on manifest: Manifest, in groups: ControlGroups?) -> [SandboxReport] {
        let sandbox = manifest.sandbox
        guard sandbox.enabled else { return [] }
        var active = active(for: sandbox)
        // Its workers do not start.
        let needsPorts = [.http, .lambda].contains(manifest.handler.contract)
        if refusal(of: sandbox, needsPorts: needsPorts) != nil { active.remove(.network) }
        return Sandbox.Protection.allCases.map { protection in
            let isWanted = protection != .network || sandbox.network != .full
            let details =
                active.contains(protection)
                ? means(of: protection, for: manifest, in: groups)
                : isWanted ? obstacle(to: protection) ?? "lifted" : "network: full"
            return SandboxReport(
                protection: protection, isActive: active.contains(protection), isWanted: isWanted, details: details)
        }
    }
}

/// One protection of one function's sandbox on this machine.
package struct SandboxReport: Sendable, Equatable {
    package var protection: Sandbox.Protection
    package var isActive: Bool
    /// Whether the manifest asks for it.
    package var isWanted: Bool
    /// How it works, or what it takes.
    package var details: String
}
