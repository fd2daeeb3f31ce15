import CProcess

/// How many files the host may have open at once, and what that leaves for clients.
package struct FileLimit: Sendable, Equatable {
    /// Of the host itself: the database, logs, watches, event loops, the admin API's clients.
    private static let own = 256
    /// Of one worker: a pidfd, the host's ends of its pipes and socket, and the worker's while it starts.
    private static let perWorker = 6
    /// The gateway answers as many again, at most this many, to say that it is full.
    private static let surplus = 1024
    private static let fewestConnections = 16

    package let files: Int

    package init(files: Int) { self.files = files }

    /// Raises the host's own limit as far as the system lets it (getrlimit(2)). Workers have limits of their own.
    package static func raise() -> FileLimit {
        let files = apus_raise_file_limit()
        return FileLimit(files: files == 0 ? 1024 : Int(clamping: files))
    }

    /// How many clients can be connected beside `workers`, at most `wanted`.
    package func connections(atMost wanted: Int, beside workers: Int) -> Int {
        let rest = files - Self.own - workers * Self.perWorker
        let room = rest >= 2 * Self.surplus ? rest - Self.surplus : rest / 2
        return min(wanted, max(Self.fewestConnections, room))
    }
}
