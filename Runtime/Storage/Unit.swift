/// What one caller wants to change, as one: all of it or nothing.
protocol Unit: AnyObject, Sendable {
    /// About how many it writes.
    var bytes: Int { get }

    /// Makes the changes, and keeps what to answer. May be called again when they were undone.
    func run(in transaction: WriteTransaction) throws

    /// Keeps the error as what to answer.
    func fail(because error: any Error)

    /// Resumes the caller, once, after `run` or `fail`.
    func answer()
}

/// Work of a caller that waits.
///
/// `@unchecked Sendable`: whoever made it hands it to the writer and uses it no more, and the writer's thread, or the one
/// that it is refused on, is then the only one that does.
final class Call: Unit, @unchecked Sendable {
    let bytes: Int
    private let work: @Sendable (WriteTransaction) throws -> Void
    /// Not a checked one, since the writer answers each unit exactly once: those of a batch after it has ended, and
    /// those that it refuses instead.
    private let continuation: UnsafeContinuation<Void, any Error>
    private var failure: (any Error)?

    init(
        bytes: Int, continuation: UnsafeContinuation<Void, any Error>,
        work: @escaping @Sendable (WriteTransaction) throws -> Void
    ) {
        self.bytes = bytes
        self.continuation = continuation
        self.work = work
    }

    func run(in transaction: WriteTransaction) throws {
        failure = nil
        try work(transaction)
    }

    func fail(because error: any Error) { failure = error }

    func answer() {
        if let failure { continuation.resume(throwing: failure) } else { continuation.resume() }
    }
}
