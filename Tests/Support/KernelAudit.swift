import Foundation

/// The kernel's auditing, which is one switch for the whole machine.
package enum KernelAudit {
    package struct Failure: Error, CustomStringConvertible {
        package let description: String
    }

    /// Whether this process may turn it on (CAP_AUDIT_CONTROL in the first namespaces), and the kernel then tells it of what
    /// Landlock refuses (Linux 6.15).
    package static let isAllowed = isNewEnough && (try? isHeard()) == true
    package static let why =
        "Linux before 6.15 does not audit what Landlock refuses, or this user may not turn that on (auditctl -e 1) and hear"

    /// Runs `body` while it is on, one at a time on this machine; it is afterwards as it was before.
    package static func whileOn(_ body: () async throws -> Void) async throws {
        let lock = try openLock()
        defer { close(lock) }
        guard await eventually({ flock(lock, LOCK_EX | LOCK_NB) == 0 }) else { throw failure("flock") }
        let before = try status()
        // With less room, the kernel would drop what all that runs beside a test is refused at once.
        try set(enabled: 1, backlog: max(before.backlog, 8192))
        let result: Result<Void, any Error>
        do { result = .success(try await body()) } catch { result = .failure(error) }
        try set(enabled: before.enabled, backlog: before.backlog)
        try result.get()
    }

    private static var isNewEnough: Bool {
        var name = utsname()
        uname(&name)
        let release = withUnsafeBytes(of: &name.release) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        let numbers = release.split { !$0.isNumber }.prefix(2).compactMap { Int($0) }
        return !numbers.lexicographicallyPrecedes([6, 15])
    }

    /// Whether records come here while it is on. A network namespace of its own does not keep a socket from being bound.
    private static func isHeard() throws -> Bool {
        let lock = try openLock()
        defer { close(lock) }
        guard flock(lock, LOCK_EX) == 0 else { throw failure("flock") }
        let before = try status()
        let listener = try open()
        defer { close(listener) }
        // struct sockaddr_nl: family; number; AUDIT_NLGRP_READLOG.
        let address: [UInt32] = [UInt32(netlink), 0, 1]
        let bound = address.withUnsafeBytes {
            bind(listener, $0.baseAddress!.assumingMemoryBound(to: sockaddr.self), UInt32($0.count))
        }
        guard bound == 0 else { throw failure("bind") }
        defer { try? set(enabled: before.enabled, backlog: before.backlog) }
        // While it is on, each change of it is a record.
        for _ in 0..<2 { try set(enabled: 1, backlog: before.backlog) }
        var events = [pollfd(fd: listener, events: Int16(POLLIN), revents: 0)]
        return poll(&events, 1, 2000) == 1
    }

    private static func openLock() throws -> Int32 {
        let path = NSTemporaryDirectory() + "/apus-tests-audit.lock"
        let lock = Foundation.open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard lock >= 0 else { throw failure("open") }
        return lock
    }

    // MARK: What <linux/audit.h> and <linux/netlink.h> say, by words of 32 bits

    private enum Message: UInt16 {
        case acknowledgement = 2
        case get = 1000
        case set = 1001
    }

    // struct audit_status: which of its fields count, then these fields, of which `enabled` is the first.

    private static func status() throws -> (enabled: UInt32, backlog: UInt32) {
        let status = try ask(.get, [], for: .get)
        return (status[1], status[5])
    }

    private static func set(enabled: UInt32, backlog: UInt32) throws {
        let (enabledCounts, backlogCounts): (UInt32, UInt32) = (1 << 0, 1 << 4)
        _ = try ask(
            .set, [enabledCounts | backlogCounts, enabled, 0, 0, 0, backlog, 0, 0, 0, 0], for: .acknowledgement)
    }

    private static let (netlink, audit): (Int32, Int32) = (16, 9)

    private static func open() throws -> Int32 {
        let descriptor = socket(netlink, Int32(SOCK_RAW.rawValue | SOCK_CLOEXEC.rawValue), audit)
        guard descriptor >= 0 else { throw failure("socket") }
        return descriptor
    }

    /// Returns what the answer says.
    private static func ask(_ type: Message, _ words: [UInt32], for answer: Message) throws -> [UInt32] {
        let descriptor = try open()
        defer { close(descriptor) }
        // struct nlmsghdr: length; type, NLM_F_REQUEST and NLM_F_ACK; number; sender.
        let request = [UInt32(16 + words.count * 4), UInt32(type.rawValue) | 5 << 16, 1, 0] + words
        guard send(descriptor, request, request.count * 4, 0) > 0 else { throw failure("send") }
        while true {
            var message = [UInt32](repeating: 0, count: 256)
            guard recv(descriptor, &message, message.count * 4, 0) >= 20 else { throw failure("recv") }
            let found = Message(rawValue: UInt16(truncatingIfNeeded: message[1]))
            if found == .acknowledgement, message[4] != 0 {
                throw Failure(description: "audit: \(String(cString: strerror(-Int32(bitPattern: message[4]))))")
            }
            if found == answer { return Array(message[4...]) }
        }
    }

    private static func failure(_ call: String) -> Failure {
        Failure(description: "\(call): \(String(cString: strerror(errno)))")
    }
}
