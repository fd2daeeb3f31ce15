/// What a client knows of what it has asked for.
package enum Fate: String, Sendable, Codable {
    /// An answer said that it is done.
    case acknowledged
    /// An answer, or the lack of a connection, said that nothing of it was applied.
    case refused
    /// The connection ended without an answer: it was applied as a whole, or not at all.
    case unknown
}

/// One way in which a promise was broken.
package struct Finding: Sendable, Hashable, Codable, CustomStringConvertible {
    package enum Kind: String, Sendable, Codable {
        /// It was acknowledged, and nothing of it is there.
        case lost
        /// It was applied more than once.
        case doubled
        case violation
    }

    package var kind: Kind
    package var what: String

    package init(_ kind: Kind, _ what: String) {
        self.kind = kind
        self.what = what
    }

    package var description: String { "\(kind.rawValue): \(what)" }
}

/// What a check of a history came to.
package struct Verdict: Sendable, Hashable, Codable {
    package var acknowledged = 0
    package var refused = 0
    package var unknown = 0
    package var findings: [Finding] = []

    package init() {}

    package init(fates: some Sequence<Fate>) {
        for fate in fates {
            switch fate {
            case .acknowledged: acknowledged += 1
            case .refused: refused += 1
            case .unknown: unknown += 1
            }
        }
    }

    package func count(_ kind: Finding.Kind) -> Int { findings.count { $0.kind == kind } }

    package mutating func found(_ kind: Finding.Kind, _ what: String) { findings.append(Finding(kind, what)) }

    /// Compares how often something was applied with what its client was told.
    package mutating func judge(_ what: String, _ fate: Fate, applied count: Int) {
        if count > 1 { found(.doubled, "\(what) was applied \(count) times") }
        switch fate {
        case .acknowledged where count == 0: found(.lost, "\(what) was acknowledged and is not there")
        case .refused where count > 0: found(.violation, "\(what) was refused and is there")
        case .acknowledged, .refused, .unknown: break
        }
    }

    package static func += (sum: inout Verdict, other: Verdict) {
        sum.acknowledged += other.acknowledged
        sum.refused += other.refused
        sum.unknown += other.unknown
        sum.findings += other.findings
    }
}
