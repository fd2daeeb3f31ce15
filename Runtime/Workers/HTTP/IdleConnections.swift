/// The connections to a server on which nothing runs: which to take, and which not to trust. Knows no sockets.
///
/// A server may close a connection in the moment in which a request is sent on it, and then nobody knows whether it has
/// run. A request that can be sent again takes any connection; another only one that has just been used, and else a
/// new one, which costs less than 100 µs.
package struct IdleConnections<Connection> {
    package typealias Instant = ContinuousClock.Instant

    /// Servers close idle connections after 2 s and more.
    package static var fresh: Duration { .seconds(1) }

    private struct Entry {
        let connection: Connection
        let since: Instant
        /// When the server closes it, by its own word.
        let end: Instant?
    }

    private var entries: [Entry] = []

    package init() {}

    /// - Parameter timeout: from the response's `Keep-Alive`.
    package mutating func put(_ connection: Connection, timeout: Duration?, now: Instant) {
        entries.append(Entry(connection: connection, since: now, end: timeout.map { now + $0 - Self.fresh }))
    }

    /// The connection that was used last, if it can be trusted with the request; then all others are older, and go: a
    /// server of one thread may be waiting on one of them.
    package mutating func take(replayable: Bool, now: Instant) -> (use: Connection?, close: [Connection]) {
        guard let last = entries.popLast() else { return (nil, []) }
        let isPast = last.end.map { $0 <= now } ?? false
        if !isPast, replayable || now - last.since < Self.fresh { return (last.connection, []) }
        return (nil, [last.connection] + takeAll())
    }

    package mutating func takeAll() -> [Connection] {
        defer { entries = [] }
        return entries.map(\.connection)
    }

    package mutating func remove(where isGone: (Connection) -> Bool) { entries.removeAll { isGone($0.connection) } }
}
