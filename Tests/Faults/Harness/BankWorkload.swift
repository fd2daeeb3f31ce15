package import FaultChecking

/// Transfers between few accounts in every way that there is, and readers that add all up.
package struct BankWorkload: Workload {
    package static let name = "bank"
    package static let clients = 4
    private static let accounts = 6
    private static let opening = 100

    private enum Way: CaseIterable {
        /// At once; and the same with a key, so that a client that got no answer asks again.
        case request, keyed
        /// Later, by `Prefer: respond-async`.
        case queued
        /// The credit by a message, and by a state trigger.
        case message, follower
    }

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
            "bank": manifest("bank", #"http: { path: "/bank/{operation}", idempotency: optional }"#),
            "bank-credit": manifest("bank-credit", "topic: credits"),
            "bank-follower": manifest("bank-follower", "state: { prefix: order/ }"),
        ]
    }

    private func manifest(_ name: String, _ trigger: String) -> String {
        """
        name: \(name)
        \(place.handler)
        triggers: [{ \(trigger) }]
        state: bank
        \(place.policies)
        """
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
        var transfer = Transfer(id, from: from, to: to, amount: 1 + random.below(20), .unknown)
        transfer.fate = ask(client, transfer, Way.allCases[random.below(Way.allCases.count)])
        transfers.append(transfer)
    }

    private func ask(_ client: Client, _ transfer: Transfer, _ way: Way) -> Fate {
        let query = "id=\(transfer.id)&from=\(transfer.from)&to=\(transfer.to)&amount=\(transfer.amount)"
        func post(_ operation: String, _ headers: (String, String)...) -> Fate {
            client.request("POST", "/bank/\(operation)?\(query)", headers: headers).fate
        }
        switch way {
        case .request: return post("transfer")
        case .keyed: return client.insist { post("transfer", ("Idempotency-Key", "\"\(transfer.id)\"")) }
        case .queued: return post("transfer", ("Prefer", "respond-async"))
        case .message: return post("send")
        case .follower: return post("order")
        }
    }

    package func audit(_ state: FinalState) throws -> Verdict { try audit(state, isOpen: true) }

    /// - Parameter isOpen: whether the accounts are there; a host may have died before.
    func audit(_ state: FinalState, isOpen: Bool) throws -> Verdict {
        let accounts = try state.numbers("bank", "account/")
        let books = BankBooks(
            balances: (0..<Self.accounts).map { accounts["\($0)"] ?? 0 },
            transit: try state.numbers("bank", "transit").values.first ?? 0,
            debits: try state.numbers("bank", "debit/"), credits: try state.numbers("bank", "credit/"))
        return BankAudit(accounts: Self.accounts, opening: isOpen ? Self.opening : 0)
            .check(transfers.entries, totals: totals.entries, books: books)
    }
}
