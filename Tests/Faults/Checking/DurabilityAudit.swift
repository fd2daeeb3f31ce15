/// A request of which a trace shall show that its answer came after its effects were on disk.
package struct TracedRequest: Sendable, Hashable {
    /// Unique text that the request has brought into the database.
    package var mark: String
    /// Of the client, on a connection that had no other request.
    package var port: Int

    package init(mark: String, port: Int) {
        self.mark = mark
        self.port = port
    }
}

/// No answer leaves before what it acknowledges is on disk.
///
/// A request is followed by two threads: its mark appears in a `pwrite64` to the write-ahead log, and its answer is what
/// is sent first to its port. Between the return of the one and the entry of the other, an `fsync` or `fdatasync` of the
/// log must have been entered and must have returned 0.
package enum DurabilityAudit {
    package static func check(_ requests: [TracedRequest], calls: [SystemCall]) -> Verdict {
        let log = calls.filter { $0.target.hasSuffix("-wal") }
        let writes = log.filter { $0.name == "pwrite64" || $0.name == "write" }
        let syncs = log.filter { ($0.name == "fsync" || $0.name == "fdatasync") && $0.result == 0 }
        let answers = calls.filter {
            $0.target.hasPrefix("TCP") && ["write", "writev", "sendto", "sendmsg"].contains($0.name)
        }
        var verdict = Verdict()
        for request in requests {
            let what = "the answer to \(request.mark)"
            guard let answer = answers.first(where: { $0.target.hasSuffix(":\(request.port)]") }) else {
                verdict.found(.violation, "\(what) is not in the trace")
                continue
            }
            verdict.acknowledged += 1
            guard let written = writes.first(where: { $0.arguments.contains(request.mark) })?.end else {
                verdict.found(.violation, "\(what) was sent, and its effects were never written to the log")
                continue
            }
            let isCovered = syncs.contains { $0.begin > written && ($0.end ?? .max) < answer.begin }
            if !isCovered {
                verdict.found(.violation, "\(what) was sent before its effects were synced: line \(answer.begin + 1)")
            }
        }
        return verdict
    }
}
