/// What a transaction is to do, before anybody knows what it reads.
package struct TransactionPlan: Sendable, Codable, Hashable {
    package enum Step: Sendable, Codable, Hashable {
        case read(String)
        case write(String, value: String)
        /// All keys with the plan's prefix.
        case list
        case pause(milliseconds: Int)
    }

    package var id: String
    /// All keys that it can touch.
    package var keys: [String]
    package var prefix: String
    package var steps: [Step]

    package init(id: String, prefix: String, keys: Int, _ random: inout SeededGenerator) {
        self.id = id
        self.prefix = prefix
        self.keys = (0..<keys).map { "\(prefix)\($0)" }
        steps = []
        let isReadOnly = random.chance(20)
        for place in 0..<(1 + random.below(5)) {
            let key = self.keys[random.below(keys)]
            switch random.below(10) {
            case 0: steps.append(.list)
            case 1: steps.append(.pause(milliseconds: random.below(8)))
            case 2...5: steps.append(.read(key))
            default: steps.append(isReadOnly ? .read(key) : .write(key, value: "\(id).\(place)"))
            }
        }
    }

    /// One line a step, as the handler takes it.
    package var request: String {
        steps.map { step in
            switch step {
            case .read(let key): "r \(key)\n"
            case .write(let key, let value): "w \(key) \(value)\n"
            case .list: "l \(prefix)\n"
            case .pause(let milliseconds): "p \(milliseconds)\n"
            }
        }.joined()
    }

    /// What it did, from what the handler noted: one line a step, `KEY=VALUE` for each key that it found.
    package func done(reading notes: String) -> [Transaction.Step] {
        let lines = notes.split(separator: "\n", omittingEmptySubsequences: false)
        return zip(steps, lines).flatMap { step, line -> [Transaction.Step] in
            let found = Self.found(line)
            switch step {
            case .read(let key): return [.read(key: key, value: found[key])]
            case .write(let key, let value): return [.write(key: key, value: value)]
            case .list: return keys.map { .read(key: $0, value: found[$0]) }
            case .pause: return []
            }
        }
    }

    /// Its writes, where nobody knows what it read.
    package var writes: [Transaction.Step] {
        steps.compactMap { if case .write(let key, let value) = $0 { .write(key: key, value: value) } else { nil } }
    }

    private static func found(_ line: Substring) -> [String: String] {
        let pairs = line.split(separator: " ").compactMap { pair -> (String, String)? in
            let parts = pair.split(separator: "=")
            return parts.count == 2 ? (String(parts[0]), String(parts[1])) : nil
        }
        return Dictionary(pairs) { first, _ in first }
    }
}
