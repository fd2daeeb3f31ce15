import CProcess
import Manifests

/// What a filter of system calls refuses; workers of the same kind share one.
struct FilterKind: Sendable, Hashable {
    enum Network: Sendable, Hashable {
        case full, loopback, none
    }

    var calls: Bool
    var processes: Bool
    var privileges: Bool
    var network: Network

    /// `nil` when nothing is to be filtered.
    init?(_ sandbox: Sandbox, _ endpoints: Endpoints, on machine: SandboxSupport) {
        let active = machine.active(for: sandbox)
        calls = active.contains(.calls)
        processes = active.contains(.processes) && machine.hasListeners
        privileges = active.contains(.privileges)
        network =
            switch active.contains(.network) ? sandbox.network : .full {
            case .full: .full
            case .loopback: .loopback
            // Bound to the loopback device; Landlock says which ports.
            case .none: endpoints == .none ? .none : .loopback
            }
        guard calls || processes || privileges || network != .full else { return nil }
    }

    func filter(cookie: UInt64) -> apus_filter {
        let network =
            switch network {
            case .full: APUS_NETWORK_FULL
            case .loopback: APUS_NETWORK_LOOPBACK
            case .none: APUS_NETWORK_NONE
            }
        return apus_filter(
            calls: calls ? 1 : 0, processes: processes ? 1 : 0, network: Int32(network.rawValue),
            privileges: privileges ? 1 : 0, cookie: cookie)
    }
}
