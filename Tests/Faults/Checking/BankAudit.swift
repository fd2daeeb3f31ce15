/// Money that a client has asked to be moved.
package struct Transfer: Sendable, Codable, Hashable {
    package var id: String
    package var from: Int
    package var to: Int
    package var amount: Int
    package var fate: Fate

    package init(_ id: String, from: Int, to: Int, amount: Int, _ fate: Fate) {
        self.id = id
        self.from = from
        self.to = to
        self.amount = amount
        self.fate = fate
    }
}

/// What the bank's state says in the end.
package struct BankBooks: Sendable, Hashable {
    package var balances: [Int]
    /// Debited, and not credited yet.
    package var transit: Int
    /// How often each transfer was debited and credited, by its id.
    package var debits: [String: Int]
    package var credits: [String: Int]
    /// Transfers with an invocation among the dead letters.
    package var dead: Set<String>

    package init(
        balances: [Int], transit: Int = 0, debits: [String: Int] = [:], credits: [String: Int] = [:],
        dead: Set<String> = []
    ) {
        self.balances = balances
        self.transit = transit
        self.debits = debits
        self.credits = credits
        self.dead = dead
    }
}

/// Money neither comes nor goes: the sum is the same at each read, and what was acknowledged was moved once.
package struct BankAudit: Sendable {
    package var accounts: Int
    /// In each account at first.
    package var opening: Int

    package init(accounts: Int, opening: Int) {
        self.accounts = accounts
        self.opening = opening
    }

    /// - Parameter totals: what readers saw while the transfers ran.
    package func check(_ transfers: [Transfer], totals: [Int], books: BankBooks) -> Verdict {
        var verdict = Verdict(fates: transfers.map(\.fate))
        for total in Set(totals).sorted() where total != accounts * opening {
            verdict.found(.violation, "a read saw \(total) in all instead of \(accounts * opening)")
        }
        var expected = Array(repeating: opening, count: accounts)
        var transit = 0
        for transfer in transfers {
            judge(transfer, books, &verdict)
            let debits = books.debits[transfer.id] ?? 0
            let credits = books.credits[transfer.id] ?? 0
            expected[transfer.from] -= debits * transfer.amount
            expected[transfer.to] += credits * transfer.amount
            transit += (debits - credits) * transfer.amount
        }
        if books.balances != expected || books.transit != transit {
            verdict.found(
                .violation,
                "the balances are \(books.balances) and \(books.transit) in transit; the transfers that were noted make "
                    + "\(expected) and \(transit)")
        }
        return verdict
    }

    private func judge(_ transfer: Transfer, _ books: BankBooks, _ verdict: inout Verdict) {
        let debits = books.debits[transfer.id] ?? 0
        let credits = books.credits[transfer.id] ?? 0
        let isDead = books.dead.contains(transfer.id)
        let what = "transfer \(transfer.id)"
        // A dead letter is a known end: what was accepted is there to be seen and tried again.
        let fate = isDead && transfer.fate == .acknowledged ? .unknown : transfer.fate
        verdict.judge("the debit of \(what)", fate, applied: debits)
        verdict.judge("the credit of \(what)", fate, applied: credits)
        if debits != credits, !isDead, debits <= 1, credits <= 1 {
            verdict.found(.violation, "\(what) was debited \(debits) times and credited \(credits) times")
        }
    }
}
