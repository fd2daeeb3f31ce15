import CProcess
import Glibc
import Synchronization

/// Answers the system calls of workers that their filters refuse or ask about, and says so.
///
/// Process-wide: a filter binds a thread that starts workers, and has one listener for all of them. A worker is known by
/// its mark.
final class SandboxGuard: Sendable {
    static let shared = SandboxGuard()

    private struct Member {
        /// Whether one of its processes has left its group.
        var hasLeft = false
        /// Copies that the host has asked it for, and that it has not made yet.
        var asked = 0
        let hearsOfLeaving: Bool
        let network: String
        let connect: Set<Int>?
        let log: RefusalLog
    }

    private let members = Mutex<[UInt64: Member]>([:])

    /// Answers what comes from `listener`, for good.
    func answer(_ listener: Int32, _ filter: apus_filter) {
        var notice = apus_notice()
        while true {
            switch apus_notice_receive(listener, filter, &notice) {
            case 0: answer(listener, &notice)
            // A signal; or the caller has gone meanwhile.
            case -EINTR, -ENOENT: continue
            default:
                // Whoever waits for an answer gets ENOSYS.
                close(listener)
                return
            }
        }
    }

    /// Knows a worker from now on.
    ///
    /// - Parameters:
    ///   - hearsOfLeaving: whether its filter tells of processes that leave its group.
    ///   - network: what the manifest says of it, for the log.
    ///   - connect: the only ports that it may connect to; `nil` for all.
    ///   - log: gets what was refused.
    func admit(
        _ mark: WorkerMark, hearsOfLeaving: Bool, network: String, connect: Set<Int>?, log: RefusalLog
    ) {
        let member = Member(hearsOfLeaving: hearsOfLeaving, network: network, connect: connect, log: log)
        members.withLock { $0[mark.value] = member }
    }

    /// A template may make one more child of the host.
    func allowCopy(_ mark: WorkerMark) { members.withLock { $0[mark.value]?.asked += 1 } }

    /// A worker has ended. Returns whether it may have left processes outside its group.
    func dismiss(_ mark: WorkerMark) -> Bool {
        guard let member = members.withLock({ $0.removeValue(forKey: mark.value) }) else { return false }
        return member.hasLeft || !member.hearsOfLeaving
    }

    private func answer(_ listener: Int32, _ notice: inout apus_notice) {
        let mark = apus_mark(notice.task)
        guard mark != 0 else {
            // The host's own thread, which starts workers, or nobody.
            let isOwn = access("/proc/self/task/\(notice.task)", F_OK) == 0
            return apus_notice_answer(listener, &notice, isOwn ? 0 : EPERM)
        }
        switch apus_notice_kind(rawValue: UInt32(notice.kind)) {
        case APUS_NOTICE_LEAVING:
            members.withLock { $0[mark]?.hasLeft = true }
            apus_notice_answer(listener, &notice, 0)
        case APUS_NOTICE_SIBLING where mayMakeCopy(mark):
            apus_notice_answer(listener, &notice, 0)
        case APUS_NOTICE_SOCKET:
            apus_notice_answer_socket(listener, &notice)
        case APUS_NOTICE_CONNECT:
            apus_notice_answer(listener, &notice, mayConnect(mark, &notice) ? 0 : EACCES)
        case APUS_NOTICE_FOREIGN_SOCKET:
            say(mark) { "refused a socket of family \(notice.arguments.0) (sandbox.network: \($0))" }
            apus_notice_answer(listener, &notice, EACCES)
        default:
            let name = String(cString: notice.name)
            say(mark) { _ in "refused \(name)" }
            apus_notice_answer(listener, &notice, EPERM)
        }
    }

    private func mayMakeCopy(_ mark: UInt64) -> Bool {
        members.withLock { members in
            guard let asked = members[mark]?.asked, asked > 0 else { return false }
            members[mark]?.asked -= 1
            // What it is until it is taken over.
            members[mark]?.hasLeft = true
            return true
        }
    }

    /// Only to tell at once, and to log: the socket itself goes nowhere else.
    private func mayConnect(_ mark: UInt64, _ notice: inout apus_notice) -> Bool {
        let peer = apus_notice_peer(&notice)
        let ports = members.withLock { $0[mark]?.connect }
        if peer.is_known == 0 || peer.is_loopback != 0 && (ports ?? nil)?.contains(Int(peer.port)) ?? true {
            return true
        }
        let address = withUnsafeBytes(of: peer.text) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        say(mark) { "refused a connection to \(address) (sandbox.network: \($0))" }
        return false
    }

    private func say(_ mark: UInt64, _ line: (_ network: String) -> String) {
        guard let member = members.withLock({ $0[mark] }) else { return }
        member.log.add(line(member.network), .call)
    }
}
