package import Events
import Manifests

/// Until when an invocation in the queue is put off by whoever puts it there: one rule for header fields and documents.
package enum Postponement {
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

    /// Not before which time it runs.
    ///
    /// - Parameters:
    ///   - after: a duration as in manifests, such as `10s`.
    ///   - at: a time of RFC 3339.
    /// - Returns: `now` where neither is given.
    package static func due(after: String?, at: String?, now: WallTime) throws(Refusal) -> WallTime {
        switch (after, at) {
        case (nil, nil): return now
        case (.some, .some): throw .twice
        case (let after?, nil):
            guard let delay = Quantity.duration(after) else { throw .noDuration }
            // Compared first: the clock may have no such time.
            guard delay <= longest else { throw .tooLong }
            return now.advanced(by: delay)
        case (nil, let at?):
            guard let time = WallTime(rfc3339: at) else { throw .noTime }
            guard time <= now.advanced(by: longest) else { throw .tooLong }
            return time
        }
    }
}
