import CProcess

/// What an audit record of Landlock says (the kernel's Documentation/admin-guide/LSM/landlock.rst).
package enum AuditRecord: Sendable, Equatable {
    /// Processes of a domain were refused something; in words, such as `refused to read /root/x`.
    case access(domain: UInt64, String)
    /// Comes once for a domain, after its first refusal: `pid` is the process that has put itself into it.
    case allocated(domain: UInt64, pid: Int32)
    /// Its last process has gone.
    ///
    /// - Parameter denials: all refusals, those too of which there was no record.
    case deallocated(domain: UInt64, denials: Int)

    /// - Parameter text: such as `audit(1795332145.404:2): domain=1a75fdeb9 blockers=fs.read_file path="/root/x"`.
    package init?(type: UInt16, text: some Sequence<UInt8>) {
        let fields = AuditFields(text)
        guard let id = fields["domain"].flatMap({ UInt64($0, radix: 16) }) else { return nil }
        switch (UInt32(type), fields["status"]) {
        case (APUS_AUDIT_LANDLOCK_ACCESS.rawValue, _):
            guard let refusal = LandlockRefusal(fields) else { return nil }
            self = .access(domain: id, refusal.description)
        case (APUS_AUDIT_LANDLOCK_DOMAIN.rawValue, "allocated"):
            guard let pid = fields["pid"].flatMap({ Int32($0) }) else { return nil }
            self = .allocated(domain: id, pid: pid)
        case (APUS_AUDIT_LANDLOCK_DOMAIN.rawValue, "deallocated"):
            self = .deallocated(domain: id, denials: fields["denials"].flatMap { Int($0) } ?? 0)
        default: return nil
        }
    }
}
