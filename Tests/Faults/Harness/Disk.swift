import CFaultControl
import FaultChecking
import Support

/// What stands between the host and its data folder.
package enum Disk: String, Sendable, CaseIterable {
    /// Nothing.
    case sound
    /// The fault injector, so that the host can be killed at any of its system calls.
    case injected
    /// … and with each kill goes the power: what was not synced is lost, all of it or some.
    case powerCuts
    /// … and syncing does nothing: the host cannot keep its promises, which the audits must find.
    case lying

    func faults(below folder: String) throws -> Faults? {
        switch self {
        case .sound: return nil
        case .injected: return try Faults(below: folder)
        case .powerCuts, .lying:
            let faults = try Faults(below: folder, undo: .parts)
            if self == .lying { faults.control.pointee.sync_skipped = 1 }
            return faults
        }
    }

    var cutsPower: Bool { self == .powerCuts || self == .lying }
}

/// How a host dies.
enum Death: Sendable, Hashable {
    /// By another, at a moment that has nothing to do with what it does.
    case fromOutside
    /// By itself, at one of its system calls that write.
    case atCall(Int, fault_moment)

    private static let calls = [
        FAULT_CALL_WRITE, FAULT_CALL_SYNC, FAULT_CALL_TRUNCATE, FAULT_CALL_CHANGE, FAULT_CALL_SEND,
    ]

    /// - Parameter most: calls until it dies.
    static func random(most: Int, _ random: inout SeededGenerator) -> Death {
        let moment = [FAULT_BEFORE, FAULT_AFTER, FAULT_AMID][random.below(3)]
        return random.chance(30) ? .fromOutside : .atCall(1 + random.below(most), moment)
    }

    func arm(_ faults: Faults) {
        switch self {
        case .fromOutside: faults.control.pointee.kill_in = 0
        case .atCall(let count, let moment): faults.kill(at: count, of: Self.calls, moment)
        }
    }
}
