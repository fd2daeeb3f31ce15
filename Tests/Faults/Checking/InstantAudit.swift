/// Each instant of a timer has one completed invocation, also those that passed while the host was down.
package enum InstantAudit {
    /// - Parameters:
    ///   - instants: how often each due time was completed, in seconds since 1970, of a timer that is due every second.
    ///   - range: the seconds in which the host was watched; instants outside of it are not asked for.
    package static func check(_ timer: String, _ instants: [Int: Int], range: ClosedRange<Int>) -> Verdict {
        var verdict = Verdict()
        verdict.acknowledged = instants.count
        for second in range where instants[second] == nil {
            verdict.found(.lost, "\(timer) did not run for the instant \(second)")
        }
        for (second, count) in instants.sorted(by: { $0.key < $1.key }) where count > 1 {
            verdict.found(.doubled, "\(timer) ran \(count) times for the instant \(second)")
        }
        return verdict
    }
}
