/// The path of an HTTP trigger: `/`-separated segments, each a literal, `{name}`, `{name?}` or `{name*}`.
package struct RoutePattern: Sendable, Hashable, CustomStringConvertible {
    package enum Segment: Sendable, Hashable {
        case literal(String)
        /// `{name}`: exactly one non-empty segment.
        case parameter(String)
        /// `{name?}`: one segment or none; only at the end.
        case optional(String)
        /// `{name*}`: every segment that is left, also none; only at the end.
        case rest(String)
    }

    package let segments: [Segment]
    /// As written.
    package let description: String

    package init(segments: [Segment], description: String) {
        self.segments = segments
        self.description = description
    }
}
