/// What the host says about one worker's sandbox: each refusal once, up to a bound.
package struct Ward: Sendable {
    /// Log lines about one worker; one that tries everything says enough with these.
    private static let mostLines = 20

    private var said: Set<String> = []

    package init() {}

    /// Whether `line` is worth saying.
    package mutating func isNews(_ line: String) -> Bool {
        said.count < Self.mostLines && said.insert(line).inserted
    }
}
