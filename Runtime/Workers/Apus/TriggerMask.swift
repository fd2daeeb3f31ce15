import Events
import Manifests
import Wire

/// What a handler serves, as its HELLO says: bit n stands for `CallHead.Kind` n.
struct TriggerMask {
    private let bits: UInt16

    init(_ bits: UInt16) { self.bits = bits }

    /// Why the handler cannot serve the manifest; `nil` if it can.
    func missing(for manifest: Manifest) -> String? {
        let missing = TriggerKind.allCases.filter { kind in
            manifest.triggers.contains { $0.kind == kind } && !contains(kind)
        }
        guard !missing.isEmpty else { return nil }
        let served = TriggerKind.allCases.filter(contains).map(\.rawValue).joined(separator: ", ")
        let declared = missing.map(\.rawValue).joined(separator: ", ")
        return "the manifest declares triggers that the handler does not serve: \(declared) (it serves "
            + "\(served.isEmpty ? "none" : served)); let it adopt the protocol for them, or take them out"
    }

    private func contains(_ kind: TriggerKind) -> Bool { bits & 1 << kind.wireKind.rawValue != 0 }
}
