package import Events

extension Schedule {
    /// What a person should know of the instant `due` because the clocks change around it; mostly there is nothing.
    package func remark(at due: WallTime) -> String? {
        guard case .cron(let expression) = rule else { return nil }
        let second = due.milliseconds.flooredDivision(by: 1000)
        let span = zone.span(at: second)
        if span.start == second, let change = ClockChange(startOf: span), change.isForward {
            guard gap == .run, let skipped = skipped(expression, span) else { return change.description }
            return "\(change); \(clockTime(skipped)) does not exist, runs at \(clockTime(change.to))"
        }
        let local = second + Int64(span.offset.seconds)
        let isFixed = !expression.followsElapsedTime && fold == .once
        if let change = ClockChange(startOf: span), change.repeats(local) {
            return "\(change); \(clockTime(local)) occurs twice, this is the second"
        }
        if let end = span.end, let change = ClockChange(startOf: zone.span(at: end)), change.repeats(local) {
            return "\(change); \(clockTime(local)) occurs twice, \(isFixed ? "runs at" : "this is") the first"
        }
        return nil
    }

    /// The changes of the clocks after `start` and not after `end` that skip a fixed time for good, because `gap` says
    /// so, each with the remark about it.
    package func skips(after start: WallTime, through end: WallTime) -> [(time: WallTime, remark: String)] {
        guard case .cron(let expression) = rule, gap == .skip, !expression.followsElapsedTime else { return [] }
        return sequence(state: start) { [zone] time -> WallTime? in
            guard let transition = zone.transition(after: time) else { return nil }
            time = transition.time
            return time
        }.prefix { $0 <= end }.compactMap { time in
            let span = zone.span(at: time.milliseconds / 1000)
            guard let change = ClockChange(startOf: span), let skipped = skipped(expression, span) else { return nil }
            return (time, "\(change); \(clockTime(skipped)) does not exist, skipped")
        }
    }
}

/// The clocks, set from one local time to another; both in seconds since 1970.
private struct ClockChange: CustomStringConvertible {
    let from: Int64
    let to: Int64

    /// `nil` where only the name of the time changes.
    init?(startOf span: ZoneRules.Span) {
        guard let start = span.start, span.previous.seconds != span.offset.seconds else { return nil }
        from = start + Int64(span.previous.seconds)
        to = start + Int64(span.offset.seconds)
    }

    var isForward: Bool { to > from }

    func repeats(_ local: Int64) -> Bool { (to..<max(to, from)).contains(local) }

    var description: String { "clocks go \(isForward ? "forward" : "back") \(clockTime(from))→\(clockTime(to))" }
}

/// `02:30`, or `02:30:15` where there are seconds.
private func clockTime(_ local: Int64) -> String {
    let second = Int(local - local.flooredDivision(by: 86_400) * 86_400)
    let time = "\(padded(second / 3600)):\(padded(second / 60 % 60))"
    return second % 60 == 0 ? time : "\(time):\(padded(second % 60))"
}

private func padded(_ value: Int) -> String { value < 10 ? "0\(value)" : "\(value)" }

extension ZoneRules {
    /// RFC 3339 on the clock of the zone, without fractions: `2026-03-29T03:00:00+02:00`.
    package func localText(of time: WallTime) -> String {
        let offset = offset(at: time).seconds
        let local = time.advanced(by: .seconds(offset)).description.prefix(19)
        let minutes = abs(offset) / 60
        return "\(local)\(offset < 0 ? "-" : "+")\(padded(minutes / 60)):\(padded(minutes % 60))"
    }
}
