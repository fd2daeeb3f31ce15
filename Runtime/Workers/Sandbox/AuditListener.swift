import CProcess
import Events
import Glibc
import NIOPosix
import Synchronization

/// Hears from the kernel what Landlock refuses to workers, while the kernel audits, and says so in their logs.
///
/// Process-wide, like the children themselves. It lives as long as the process, and costs nothing while nothing is refused.
final class AuditListener: Sendable {
    /// `nil` where the host may not listen, or the kernel does not tell (Landlock ABI 7).
    static let shared = apus_landlock_abi() >= 7 ? AuditListener() : nil

    /// The longest record: a path may come as hexadecimal digits.
    private static let longest = 16 << 10

    private let socket: Int32
    private let thread = NIOThreadPool(numberOfThreads: 1)
    private let domains = Mutex(LandlockDomains<RefusalLog>())
    /// Why nothing more is heard.
    private let silence = Mutex<String?>(nil)

    private init?() {
        socket = apus_audit_open()
        guard socket >= 0 else { return nil }
        thread.start()
        thread.submit { [self] _ in listen() }
    }

    /// Knows a worker from now on; to be called before it can be reaped.
    func admit(_ pid: Int32, _ log: RefusalLog) {
        for line in domains.withLock({ $0.admit(pid, log, .now) }) { log.add(line, .file) }
        if let reason = silence.withLock({ $0 }) { log.add(Self.line(reason), .loss) }
    }

    /// A worker has ended.
    func dismiss(_ pid: Int32) { domains.withLock { $0.dismiss(pid, .now) } }

    private func listen() {
        withUnsafeTemporaryAllocation(byteCount: Self.longest, alignment: 1) { buffer in
            while true {
                var type: UInt16 = 0
                let count = apus_audit_receive(socket, &type, buffer.baseAddress, buffer.count)
                switch count {
                case 0...: receive(type, UnsafeRawBufferPointer(rebasing: buffer[..<count]))
                case -Int(ENOBUFS): missed()
                case -Int(EINTR): continue
                default: return lost(describe(Int32(-count)))
                }
            }
        }
    }

    private func receive(_ type: UInt16, _ text: UnsafeRawBufferPointer) {
        guard let record = AuditRecord(type: type, text: text),
            let (log, lines) = domains.withLock({ $0.receive(record, .now) })
        else { return }
        let isEnd = if case .deallocated = record { true } else { false }
        for line in lines { log.add(line, isEnd ? .loss : .file) }
    }

    /// Nothing more will be heard.
    private func lost(_ reason: String) {
        silence.withLock { $0 = reason }
        for log in domains.withLock({ $0.running }) { log.add(Self.line(reason), .loss) }
    }

    private static func line(_ reason: String) -> String {
        "what is refused from now on is missing here: the host cannot hear the kernel: \(reason)"
    }

    /// It may have been anybody's, and may have said whose.
    private func missed() {
        for log in domains.withLock({ $0.running }) {
            log.add("what was refused now may be missing here: the kernel told of more than the host could hear", .loss)
        }
    }
}
