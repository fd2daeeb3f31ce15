/// One transaction on a few keys, as its client and the store know it.
package struct Transaction: Sendable, Codable, Hashable {
    /// Values are unique, so that a read tells which write it saw. A transaction that writes a key twice gives it two
    /// values, of which others may see the last one only.
    package enum Step: Sendable, Codable, Hashable {
        /// `nil` where nothing was.
        case read(key: String, value: String?)
        case write(key: String, value: String)
    }

    package var id: String
    /// In the order in which the handler made them.
    package var steps: [Step]
    package var fate: Fate
    /// Nanoseconds of a steady clock: when the client asked …
    package var begin: Int
    /// … and when it had an answer.
    package var end: Int?
    /// Its place among the commits, as the store says; `nil` when it has written nothing, or was not applied.
    package var version: Int?

    package init(
        _ id: String, _ steps: [Step], _ fate: Fate = .acknowledged, begin: Int = 0, end: Int? = nil,
        version: Int? = nil
    ) {
        self.id = id
        self.steps = steps
        self.fate = fate
        self.begin = begin
        self.end = end
        self.version = version
    }

    package var isReadOnly: Bool { steps.allSatisfy { if case .read = $0 { true } else { false } } }

    /// Whether its reads and writes count: it has committed, or has read what its answer says.
    package var isApplied: Bool { version != nil || (isReadOnly && fate == .acknowledged) }

    /// The value that each key has after it.
    package var finalWrites: [String: String] {
        steps.reduce(into: [:]) { writes, step in if case .write(let key, let value) = step { writes[key] = value } }
    }
}
