/// Looks for the serial order that a history must have had: builds the dependency graph, and finds the cycles that rule
/// every such order out.
///
/// What it can tell: lost updates, write skew, dirty, intermediate and aborted reads, reads that miss a write that had
/// been acknowledged before they began, and acknowledged writes that are not there.
package struct SerialOrder: Sendable {
    private let transactions: [Transaction]
    /// By the value that was written.
    private var writers: [String: Int] = [:]
    /// The values of each key that were committed, in the order of the commits.
    private var versions: [String: [(value: String, writer: Int)]] = [:]
    private var graph: DependencyGraph
    private var verdict: Verdict

    /// - Parameter state: what the keys hold in the end.
    package static func check(_ transactions: [Transaction], state: [String: String]) -> Verdict {
        var order = SerialOrder(transactions)
        order.judgeFates()
        order.orderWrites(state)
        order.connectReads()
        order.connectRealTime()
        order.reportCycle()
        return order.verdict
    }

    private init(_ transactions: [Transaction]) {
        self.transactions = transactions
        graph = DependencyGraph(nodes: transactions.count)
        verdict = Verdict(fates: transactions.map(\.fate))
        for (index, transaction) in transactions.enumerated() {
            for case .write(_, let value) in transaction.steps { writers[value] = index }
        }
    }

    private mutating func judgeFates() {
        for transaction in transactions where !transaction.isReadOnly {
            verdict.judge(
                "transaction \(transaction.id)", transaction.fate, applied: transaction.version == nil ? 0 : 1)
        }
    }

    private mutating func orderWrites(_ state: [String: String]) {
        let committed = transactions.indices.filter { transactions[$0].version != nil }
            .sorted { (transactions[$0].version ?? 0) < (transactions[$1].version ?? 0) }
        for index in committed {
            for (key, value) in transactions[index].finalWrites { versions[key, default: []].append((value, index)) }
        }
        for (key, versions) in versions {
            for (earlier, later) in zip(versions, versions.dropFirst()) {
                graph.add(earlier.writer, later.writer, .overwrites(key))
            }
            if let last = versions.last, state[key] != last.value {
                let found = state[key] ?? "nothing"
                verdict.found(
                    .lost, "\(key) holds \(found), and \(transactions[last.writer].id) wrote \(last.value) last")
            }
        }
        for (key, value) in state where versions[key] == nil {
            verdict.found(.violation, "\(key) holds \(value), which no transaction that was applied has written")
        }
    }

    // MARK: Reads

    private mutating func connectReads() {
        let places = versions.mapValues { versions in
            Dictionary(versions.enumerated().map { ($1.value, $0) }) { first, _ in first }
        }
        for (index, transaction) in transactions.enumerated() where transaction.isApplied {
            var known: [String: String?] = [:]
            for step in transaction.steps {
                switch step {
                case .write(let key, let value): known[key] = .some(value)
                case .read(let key, let value):
                    if let expected = known[key] {
                        if expected != value { reportUnrepeatable(transaction, key, expected, value) }
                    } else {
                        known[key] = .some(value)
                        connectRead(index, key, value, places[key] ?? [:])
                    }
                }
            }
        }
    }

    private mutating func connectRead(_ reader: Int, _ key: String, _ value: String?, _ places: [String: Int]) {
        let chain = versions[key] ?? []
        guard let value else {
            if let first = chain.first { graph.add(reader, first.writer, .precedesWrite(key)) }
            return
        }
        guard let place = places[value] else { return reportUnknown(transactions[reader], key, value) }
        graph.add(chain[place].writer, reader, .reads(key))
        if place + 1 < chain.count { graph.add(reader, chain[place + 1].writer, .precedesWrite(key)) }
    }

    private mutating func reportUnknown(_ reader: Transaction, _ key: String, _ value: String) {
        let read = "\(reader.id) read \(key) = \(value)"
        guard let writer = writers[value] else {
            return verdict.found(.violation, "\(read), which nobody has written")
        }
        let name = transactions[writer].id
        verdict.found(
            .violation,
            transactions[writer].isApplied
                ? "dirty read: \(read), which \(name) overwrote before it committed"
                : "aborted read: \(read), and \(name) was not applied")
    }

    private mutating func reportUnrepeatable(
        _ transaction: Transaction, _ key: String, _ expected: String?, _ value: String?
    ) {
        verdict.found(
            .violation,
            "\(transaction.id) read \(key) = \(value ?? "nothing") where it had \(expected ?? "nothing") before")
    }

    // MARK: Real time

    /// All that ended before a moment comes before all that began after it: through one node for each end, so that the
    /// edges are as many as the transactions.
    private mutating func connectRealTime() {
        let ended = transactions.indices.filter { transactions[$0].isApplied && endOfAcknowledged($0) != nil }
            .sorted { (endOfAcknowledged($0) ?? 0) < (endOfAcknowledged($1) ?? 0) }
        let first = transactions.count
        var timed = DependencyGraph(nodes: first + ended.count)
        for (source, edges) in graph.edges.enumerated() {
            for edge in edges { timed.add(source, edge.target, edge.reason) }
        }
        for (place, index) in ended.enumerated() {
            timed.add(index, first + place, .realTime)
            if place > 0 { timed.add(first + place - 1, first + place, .realTime) }
        }
        let ends = ended.map { endOfAcknowledged($0) ?? 0 }
        for index in transactions.indices where transactions[index].isApplied {
            let before = ends.partitioningIndex { $0 >= transactions[index].begin }
            if before > 0 { timed.add(first + before - 1, index, .realTime) }
        }
        graph = timed
    }

    private func endOfAcknowledged(_ index: Int) -> Int? {
        transactions[index].fate == .acknowledged ? transactions[index].end : nil
    }

    private mutating func reportCycle() {
        let cycle = graph.cycle()
        guard let start = cycle.firstIndex(where: { $0.node < transactions.count }) else { return }
        var text = transactions[cycle[start].node].id
        for step in cycle[start...] + cycle[..<start] where step.edge.target < transactions.count {
            text += " -\(step.edge.reason)-> \(transactions[step.edge.target].id)"
        }
        verdict.found(.violation, "no serial order: \(text)")
    }
}

extension [Int] {
    /// The first index whose element holds; the elements that do not come first.
    fileprivate func partitioningIndex(where holds: (Int) -> Bool) -> Int {
        var (low, high) = (0, count)
        while low < high {
            let middle = (low + high) / 2
            if holds(self[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
