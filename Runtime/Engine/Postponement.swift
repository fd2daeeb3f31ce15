package import Events
import Manifests

/// Until when an invocation in the queue is put off by whoever puts it there: one rule for header fields and documents.
package enum Postponement: Sendable {
    /// It is not.
    case none
    /// For so long from when it is put there.
    case after(Duration)
    case until(WallTime)

    /// Why it cannot be put off like this.
    package enum Refusal: Error, Sendable {
        /// For a time and until one.
        case twice
        case noDuration
        case noTime
        case tooLong
    }

    /// A year: what is put off for longer is a mistake.
    package static let longest = Duration.seconds(366 * 86_400)

    /// - Parameters:
    ///   - after: a duration as in manifests, such as `10s`.
    ///   - at: a time of RFC 3339.
    package init(after: String?, at: String?) throws(Refusal) {
        switch (after, at) {
        case (nil, nil): self = .none
        case (.some, .some): throw .twice
        case (let after?, nil):
            guard let delay = Quantity.duration(after) else { throw .noDuration }
            self = .after(delay)
        case (nil, let at?):
            guard let time = WallTime(rfc3339: at) else { throw .noTime }
            self = .until(time)
        }
    }

    /// Not before which time it runs: where nothing is said, `now`.
    package func due(now: WallTime) throws(Refusal) -> WallTime {
        switch self {
        case .none: return now
        case .after(let delay):
            // Compared first: the clock may have no such time.
            guard delay <= Self.longest else { throw .tooLong }
            return now.advanced(by: delay)
        case .until(let time):
            guard time <= now.advanced(by: Self.longest) else { throw .tooLong }
            return time
        }
    }
}
