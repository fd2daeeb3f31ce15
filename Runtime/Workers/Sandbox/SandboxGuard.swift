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
        var ward: Ward
        /// Processes that the host started with this mark, or had copied.
        var leaders = 1
        let countsProcesses: Bool
        let network: String
        let connect: Set<Int>?
        let say: @Sendable (String) -> Void
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
    ///   - processes: how many it may have, with threads; `nil` when its filter does not ask.
    ///   - network: what the manifest says of it, for the log.
    ///   - connect: the only ports that it may connect to; `nil` for all.
    ///   - say: gets a line when something was refused, on the guarding thread.
    func admit(
        _ mark: WorkerMark, processes: Int?, network: String, connect: Set<Int>?,
        say: @escaping @Sendable (String) -> Void
    ) {
        let member = Member(
            ward: Ward(limit: processes ?? .max), countsProcesses: processes != nil, network: network,
            connect: connect, say: say)
        members.withLock { $0[mark.value] = member }
    }

    /// One more process with a mark that is known: a copy.
    func retain(_ mark: WorkerMark) { members.withLock { $0[mark.value]?.leaders += 1 } }

    /// A leader has ended. With the last of them, whatever is left is refused every new process. Returns whether that was
    /// the last, and it may have left something.
    func dismiss(_ mark: WorkerMark) -> Bool {
        members.withLock { members in
            guard let member = members[mark.value] else { return false }
            members[mark.value]?.leaders -= 1
            guard member.leaders == 1 else { return false }
            members[mark.value] = nil
            return member.ward.hasForked || !member.countsProcesses
        }
    }

    /// Whether a worker has started processes; `nil` when nobody counts them.
    func hasForked(_ mark: WorkerMark) -> Bool? {
        members.withLock { members in members[mark.value].flatMap { $0.countsProcesses ? $0.ward.hasForked : nil } }
    }

    private func answer(_ listener: Int32, _ notice: inout apus_notice) {
        let mark = apus_mark(notice.task)
        // The host's own thread, which starts workers.
        guard mark != 0 else { return apus_notice_answer(listener, &notice, 0) }
        switch apus_notice_kind(rawValue: UInt32(notice.kind)) {
        case APUS_NOTICE_PROCESS:
            apus_notice_answer(listener, &notice, mayStart(mark, isThread: false) ? 0 : EAGAIN)
        case APUS_NOTICE_THREAD:
            apus_notice_answer(listener, &notice, mayStart(mark, isThread: true) ? 0 : EAGAIN)
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

    private func mayStart(_ mark: UInt64, isThread: Bool) -> Bool {
        let (answer, limit) = members.withLock { members -> (Ward.Answer?, Int) in
            let answer = members[mark]?.ward.start(isThread: isThread, now: .now) { Self.tasks(mark) }
            return (answer, members[mark]?.ward.limit ?? 0)
        }
        if answer == .refuse {
            say(mark) { _ in "refused one more process or thread: it has \(limit) (limits.processes)" }
        }
        return answer == .allow
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
        let spoken = members.withLock { members -> (@Sendable (String) -> Void, String)? in
            guard let member = members[mark] else { return nil }
            let line = line(member.network)
            guard members[mark]?.ward.isNews(line) == true else { return nil }
            return (member.say, line)
        }
        if let (say, line) = spoken { say("sandbox: " + line) }
    }

    private static func tasks(_ mark: UInt64) -> Int {
        withUnsafeTemporaryAllocation(of: apus_process.self, capacity: 1024) { list in
            let count = apus_processes(mark, list.baseAddress, list.count)
            return list.prefix(min(count, list.count)).reduce(count) { $0 + Int($1.tasks) - 1 }
        }
    }
}
