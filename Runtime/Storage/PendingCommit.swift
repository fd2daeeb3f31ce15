import Events

/// A commit on its way through the writer. One object, since each request that changes something makes one.
///
/// `@unchecked Sendable`, as `Call` is: whoever made it hands it to the writer and uses it no more.
final class PendingCommit: Unit, @unchecked Sendable {
    let bytes: Int
    private let effects: Effects?
    private let settle: (lease: Lease, settlement: Settlement)?
    private let response: IdempotentResponse?
    private let messages: [QueueRow]
    private let notices: [QueueRow]
    private let checked: CheckedWrite?
    private let then: @Sendable (Result<CommitResult, any Error>) -> Void
    private var outcome: Result<CommitResult, any Error> = .success(.committed)

    /// Made by whoever commits, with all that needs no transaction.
    init(
        effects: Effects?, settle: (lease: Lease, settlement: Settlement)? = nil, response: IdempotentResponse? = nil,
        notices: [NewInvocation] = [], then: @escaping @Sendable (Result<CommitResult, any Error>) -> Void
    ) {
        messages = effects?.messages.map { QueueRow($0) } ?? []
        self.notices = notices.map { QueueRow($0) }
        checked = response == nil ? effects?.checkedWrite : nil
        bytes =
            messages.reduce(0) { $0 + $1.size } + self.notices.reduce(0) { $0 + $1.size } + (effects?.size ?? 0)
            + (response?.size ?? 0)
        // They are in their rows. To free them here, on the thread that made them, costs less than on the writer's.
        var effects = effects
        effects?.messages = []
        self.effects = effects
        self.settle = settle
        self.response = response
        self.then = then
    }

    init(
        enqueuing invocation: NewInvocation, response: IdempotentResponse?,
        then: @escaping @Sendable (Result<CommitResult, any Error>) -> Void
    ) {
        let row = QueueRow(invocation)
        messages = [row]
        bytes = row.size + (response?.size ?? 0)
        effects = nil
        settle = nil
        notices = []
        checked = nil
        self.response = response
        self.then = then
    }

    func run(in transaction: WriteTransaction) throws { outcome = .success(try result(in: transaction)) }

    func fail(because error: any Error) { outcome = .failure(error) }

    func answer() { then(outcome) }

    private func result(in transaction: WriteTransaction) throws -> CommitResult {
        let weaknesses = transaction.options.weaknesses
        let now = transaction.options.now()
        // A check and a write at once cannot do without the check.
        let checked = weaknesses.skipsVersions ? nil : checked
        var place: QueuePlace?
        if let lease = settle?.lease {
            place = try transaction.place(of: lease)
            if place == nil, weaknesses.skipsEpochs { place = try transaction.place(of: lease.invocation) }
            if place == nil { return .leaseLost }
        }
        if let effects, !weaknesses.skipsVersions {
            guard try effects.isCurrent(in: transaction.connection, except: checked?.key) else {
                return conflict(effects, in: transaction)
            }
        }
        if let response, try !transaction.connection.keep(response, now: now) { return .repeated }
        if let effects, !effects.writes.isEmpty {
            let followers = transaction.followed[effects.namespace]
            guard try effects.write(in: transaction, checked, followers: followers, now: now) else {
                return conflict(effects, in: transaction)
            }
        }
        for message in messages { _ = try transaction.enqueue(message, now: now) }
        if let place, let settlement = settle?.settlement {
            try transaction.settle(place, as: settlement, now: now)
            for notice in notices { _ = try transaction.insert(notice, now: now) }
        }
        return .committed
    }

    /// What was read is not what is there. Another try is to read it from the database, whatever has changed it.
    private func conflict(_ effects: Effects, in transaction: WriteTransaction) -> CommitResult {
        for read in effects.reads { transaction.written.add(nil, to: read.key, in: effects.namespace, version: 0) }
        return .conflicted
    }
}
