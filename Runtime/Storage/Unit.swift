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

/// Work of a caller that waits for its result.
///
/// `@unchecked Sendable`: whoever made it hands it to the writer and uses it no more, and the writer's thread, or the one
/// that it is refused on, is then the only one that does.
final class Call<Value: Sendable>: Unit, @unchecked Sendable {
    let bytes: Int
    private let work: @Sendable (WriteTransaction) throws -> Value
    private let continuation: UnsafeContinuation<Value, any Error>
    private var outcome: Result<Value, any Error>?

    init(
        bytes: Int, work: @escaping @Sendable (WriteTransaction) throws -> Value,
        continuation: UnsafeContinuation<Value, any Error>
    ) {
        self.bytes = bytes
        self.work = work
        self.continuation = continuation
    }

    func run(in transaction: WriteTransaction) throws { outcome = .success(try work(transaction)) }

    func fail(because error: any Error) { outcome = .failure(error) }

    // One of the two above has come before.
    func answer() { continuation.resume(with: outcome!) }
}
