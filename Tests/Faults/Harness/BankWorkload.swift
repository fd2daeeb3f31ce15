package import FaultChecking

/// Transfers between few accounts, at once and by message, and readers that add all up.
package struct BankWorkload: Workload {
    package static let name = "bank"
    package static let clients = 4
    private static let accounts = 6
    private static let opening = 100

    private let place: Place
    private let transfers: History<Transfer>
    private let totals: History<Int>

    package init(_ place: Place) throws {
        self.place = place
        transfers = try place.history("bank")
        totals = try place.history("bank-totals")
    }

    package var manifests: [String: String] {
        [
            "bank": """
            name: bank
            \(place.handler)
            triggers: [{ http: { path: "/bank/{operation}" } }]
            \(place.policies)
            """,
            "bank-credit": """
            name: bank-credit
            \(place.handler)
            triggers: [{ topic: credits }]
            state: bank
            \(place.policies)
            """,
        ]
    }

    package func open(_ client: Client) throws {
        let answer = client.request("POST", "/bank/open?accounts=\(Self.accounts)")
        guard answer.fate == .acknowledged else { throw HarnessFailure("the bank does not open: \(answer)") }
    }

    package func step(_ client: Client, id: String, _ random: inout SeededGenerator) {
        if random.chance(20) {
            if let total = client.request("GET", "/bank/total").text.flatMap({ Int($0) }) { totals.append(total) }
            return
        }
        let from = random.below(Self.accounts)
        let to = (from + 1 + random.below(Self.accounts - 1)) % Self.accounts
        let amount = 1 + random.below(20)
        let operation = random.chance(60) ? "transfer" : "send"
        let answer = client.request(
            "POST", "/bank/\(operation)?id=\(id)&from=\(from)&to=\(to)&amount=\(amount)")
        transfers.append(Transfer(id, from: from, to: to, amount: amount, answer.fate))
    }

    package func audit(_ state: FinalState) throws -> Verdict {
        let accounts = try state.numbers("bank", "account/")
        let dead = try state.invocations(of: "bank-credit", in: "dead").compactMap(\.subject)
        let books = BankBooks(
            balances: (0..<Self.accounts).map { accounts["\($0)"] ?? 0 },
            transit: try state.numbers("bank", "transit").values.first ?? 0,
            debits: try state.numbers("bank", "debit/"), credits: try state.numbers("bank", "credit/"),
            dead: Set(dead))
        return BankAudit(accounts: Self.accounts, opening: Self.opening)
            .check(transfers.entries, totals: totals.entries, books: books)
    }
}
