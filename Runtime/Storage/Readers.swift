import Synchronization

/// Connections for reading. A reader sees what is committed when it begins, and waits for nobody.
final class Readers: Sendable {
    private struct State {
        var idle: [Connection] = []
        var isClosed = false
    }

    /// More stay open only while more threads than this read at once.
    private static let kept = 16

    private let path: String
    private let options: Options
    private let state = Mutex(State())

    init(path: String, options: Options) {
        self.path = path
        self.options = options
    }

    /// Runs a single statement, which is an instant of its own.
    func once<Result>(_ body: (Connection) throws -> Result) throws -> Result {
        let connection = try take()
        defer { giveBack(connection) }
        return try body(connection)
    }

    /// Runs several statements on one instant.
    func snapshot<Result>(_ body: (Connection) throws -> Result) throws -> Result {
        try once { connection in
            try connection.run("BEGIN")
            // Nothing was written, so that there is nothing that could fail to be undone.
            defer { _ = try? connection.run("ROLLBACK") }
            return try body(connection)
        }
    }

    /// Closes what is idle now, and the others as they come back.
    func close() {
        state.withLock { state in
            state.isClosed = true
            state.idle = []
        }
    }

    private func take() throws -> Connection {
        let (idle, isClosed) = state.withLock { ($0.idle.popLast(), $0.isClosed) }
        if isClosed { throw StorageError(.closed, "the store is closed") }
        return try idle ?? Connection(reading: path, options: options)
    }

    private func giveBack(_ connection: Connection) {
        state.withLock { state in
            if !state.isClosed, state.idle.count < Self.kept { state.idle.append(connection) }
        }
    }
}
