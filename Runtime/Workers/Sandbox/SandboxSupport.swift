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

    package static let machine = SandboxSupport(
        landlock: Int(apus_landlock_abi()), hasListeners: apus_has_listeners() != 0,
        hasSocketAnswers: apus_has_socket_answers() != 0, canDropCapabilities: apus_can_drop_capabilities() != 0)

    /// What keeps the machine from having `protection`, and what to do; `nil` when it has it.
    package func obstacle(to protection: Sandbox.Protection) -> String? {
        switch protection {
        case .files:
            landlock >= 3
                ? nil
                : "the kernel has \(landlock == 0 ? "no Landlock" : "Landlock without truncation"); it takes Linux 6.2 "
                    + "with Landlock among its security modules (lsm=landlock,…)"
        case .network:
            hasSocketAnswers && landlock >= 4
                ? nil : "it takes Linux 6.7 with Landlock among its security modules, and seccomp's listeners"
        case .signals: landlock >= 6 ? nil : "it takes Linux 6.12 with Landlock among its security modules"
        case .calls: hasListeners ? nil : "it takes Linux 5.5 with seccomp and its listeners"
        case .privileges:
            canDropCapabilities ? nil : "the host has capabilities but not CAP_SETPCAP; run it as an ordinary user"
        case .processes, .memory: nil
        }
    }

    /// How it does it.
    package func means(of protection: Sandbox.Protection) -> String {
        switch protection {
        case .files, .signals: "Landlock ABI \(landlock)"
        case .network: "sockets on the loopback device, Landlock ABI \(landlock)"
        case .calls: "seccomp"
        case .privileges: "no capabilities"
        case .processes: "counted by the host, ended with their worker"
        case .memory: "RLIMIT_DATA for each process, watched by the host for all of them"
        }
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
    /// - Parameter needsPorts: whether the host speaks with its workers over TCP.
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
        case .none: needsPorts ? hasSocketAnswers && landlock >= 4 : hasListeners
        case .loopback: hasSocketAnswers
        }
    }

    /// What a function's sandbox has here and what it lacks, for people.
    package func report(on sandbox: Sandbox) -> [SandboxReport] {
        guard sandbox.enabled else { return [] }
        let active = active(for: sandbox)
        return Sandbox.Protection.allCases.map { protection in
            let isWanted = protection != .network || sandbox.network != .full
            let details =
                active.contains(protection)
                ? means(of: protection) : isWanted ? obstacle(to: protection) ?? "lifted" : "network: full"
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
