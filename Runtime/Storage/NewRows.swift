import Events
import GRDB

/// What the open transaction has put into the queue and not inserted yet. Many rows go in with one statement, which costs a
/// third less than one for each: it opens the table and its indexes once, and finds most places next to the last.
///
/// Confined to the writer's thread.
final class NewRows {
    /// More would save little, and each number of rows is a statement of its own, which is kept.
    static let most = 16

    private var rows: [(Arguments, last: Int64)] = []

    var count: Int { rows.count }

    /// - Parameter arguments: those of `QueueRow.insertion(of:)` for a row.
    func add(_ arguments: Arguments, at now: WallTime, to database: Connection) throws {
        rows.append((arguments, now.milliseconds))
        if rows.count == Self.most { try insert(into: database) }
    }

    /// Throws when one of them cannot be inserted; which one, each has to find out alone.
    func insert(into database: Connection) throws {
        if rows.isEmpty { return }
        guard try database.run(QueueRow.insertion(of: rows.count), rows) == rows.count else {
            throw DatabaseError(resultCode: .SQLITE_CONSTRAINT, message: "an invocation is in the queue already")
        }
        removeAll()
    }

    func removeAll() { rows.removeAll(keepingCapacity: true) }
}
