/// What one caller wants to change, as one: all of it or nothing.
protocol Unit: AnyObject, Sendable {
    /// About how many it writes.
    var bytes: Int { get }

    /// Makes the changes, and keeps what to answer. May be called again when they were undone.
    func run(in transaction: WriteTransaction) throws

    /// Keeps the error as what to answer.
    func fail(because error: any Error)

    /// Tells the caller, once, after `run` or `fail`.
    func answer()
}

/// Work of a caller that is told how it ended.
///
/// `@unchecked Sendable`: whoever made it hands it to the writer and uses it no more, and the writer's thread, or the one
/// that it is refused on, is then the only one that does.
final class Call: Unit, @unchecked Sendable {
    let bytes: Int
    private let work: @Sendable (WriteTransaction) throws -> Void
    private let then: @Sendable ((any Error)?) -> Void
    private var failure: (any Error)?

    init(
        bytes: Int, work: @escaping @Sendable (WriteTransaction) throws -> Void,
        then: @escaping @Sendable ((any Error)?) -> Void
    ) {
        self.bytes = bytes
        self.work = work
        self.then = then
    }

    func run(in transaction: WriteTransaction) throws {
        failure = nil
        try work(transaction)
    }

    func fail(because error: any Error) { failure = error }

    func answer() { then(failure) }
}
