import Apus

/// A transfer as it travels: `ID FROM TO AMOUNT`.
struct Order {
    var id: String
    var from: String
    var to: String
    var amount: Int

    var text: String { "\(id) \(from) \(to) \(amount)" }

    init(_ text: String) throws {
        let words = text.split(separator: " ").map(String.init)
        guard words.count == 4, let amount = Int(words[3]) else { throw PermanentFailure("no order: \(text)") }
        (id, from, to, self.amount) = (words[0], words[1], words[2], amount)
    }

    init(_ query: [String: String]) throws {
        try self.init(["id", "from", "to", "amount"].compactMap { query[$0] }.joined(separator: " "))
    }
}

/// Accounts, and for each transfer how often it was debited and credited, noted in the same transaction.
struct Bank {
    let state: State

    func open(_ accounts: Int) async throws {
        for account in 0..<accounts { try await state.set("account/\(account)", "100") }
    }

    /// At once.
    func transfer(_ order: Order) async throws {
        try await debit(order)
        try await add(order.amount, to: "account/\(order.to)")
        try await state.increment("credit/\(order.id)")
    }

    /// The credit comes with a message; until then the money is in transit.
    func send(_ order: Order, in context: Context) async throws {
        try await debit(order)
        try await add(order.amount, to: "transit")
        try await context.send(order.text, to: "bank-credit", attributes: ["subject": order.id])
    }

    /// The credit comes with the state trigger that follows orders.
    func order(_ order: Order) async throws {
        try await debit(order)
        try await add(order.amount, to: "transit")
        try await state.set("order/\(order.id)", order.text)
    }

    func credit(_ order: Order) async throws {
        try await add(-order.amount, to: "transit")
        try await add(order.amount, to: "account/\(order.to)")
        try await state.increment("credit/\(order.id)")
    }

    func total() async throws -> String {
        let balances = try await state.list(prefix: "account/", limit: 1000)
            .map { Int(String(decoding: $0.value, as: UTF8.self)) ?? 0 }
        return "\(balances.reduce(0, +) + (try await number("transit")))"
    }

    private func debit(_ order: Order) async throws {
        try await add(-order.amount, to: "account/\(order.from)")
        try await state.increment("debit/\(order.id)")
    }

    /// Reads and writes instead of incrementing, so that every race is a conflict.
    private func add(_ amount: Int, to key: String) async throws {
        try await state.set(key, "\(try await number(key) + amount)")
    }

    private func number(_ key: String) async throws -> Int { try await state.string(key).flatMap { Int($0) } ?? 0 }
}
