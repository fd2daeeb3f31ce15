package import Events

/// When something happens, on the clock of a zone.
///
/// What the clocks do twice a year, it decides as Debian's cron does: a fixed time that falls into a gap happens once,
/// right after it; one that occurs twice happens at the first. Both can be overridden. A cron expression whose minute
/// or hour begins with `*` is no fixed time: it follows elapsed time, so that `0 * * * *` happens once an hour and
/// `*/15 2 * * *` not at all on a day without two o'clock.
package struct Schedule: Sendable, Hashable {
    package enum Rule: Sendable, Hashable {
        case cron(CronExpression)
        /// At the multiples of a duration since 1970-01-01T00:00:00Z. They depend on nothing that a restart could
        /// move, and so `15m` is every quarter of an hour, and never drifts.
        case every(Duration)
        case at(WallTime)
    }
    /// What happens to a fixed time that the clocks skip.
    package enum Gap: Sendable, Hashable {
        /// It happens once, right after the gap.
        case run
        case skip
    }
    /// What happens to a fixed time that the clocks show twice.
    package enum Fold: Sendable, Hashable {
        /// It happens at the first.
        case once
        case both
    }

    package let rule: Rule
    package let zone: ZoneRules
    package let gap: Gap
    package let fold: Fold

    /// - Throws: when `rule` is a duration below a millisecond, or a cron expression that never fires.
    package init(
        _ rule: Rule, zone: ZoneRules = .utc, gap: Gap = .run, fold: Fold = .once
    ) throws(ScheduleError) {
        switch rule {
        case .every(let period) where period.milliseconds < 1:
            throw ScheduleError("'every' must be at least a millisecond")
        case .cron(let expression) where !expression.fires:
            throw ScheduleError("'\(expression.text)' never fires: no month has such a day")
        case .every, .cron, .at: break
        }
        self.rule = rule
        self.zone = zone
        self.gap = gap
        self.fold = fold
    }

    /// The first instant after `time`; `nil` when there is none any more.
    package func next(after time: WallTime) -> WallTime? {
        switch rule {
        case .at(let instant): instant > time ? instant : nil
        case .every(let period):
            WallTime(
                milliseconds: (time.milliseconds.flooredDivision(by: period.milliseconds) + 1) * period.milliseconds)
        case .cron(let expression):
            next(expression, from: time.milliseconds.flooredDivision(by: 1000) + 1)
                .map { WallTime(milliseconds: $0 * 1000) }
        }
    }

    /// The newest `count` instants after `start` and not after `end`, oldest first.
    ///
    /// Looks back over spans that double, since counting forward through the seconds of a year would take minutes.
    package func latest(_ count: Int, after start: WallTime, through end: WallTime) -> [WallTime] {
        guard count > 0, start < end else { return [] }
        var span = Duration.seconds(60)
        while true {
            let from = max(start, end.advanced(by: .zero - span))
            let found = instants(after: from, through: end)
            if found.count >= count || from == start { return Array(found.suffix(count)) }
            span = span * 2
        }
    }

    private func instants(after start: WallTime, through end: WallTime) -> [WallTime] {
        sequence(first: start) { next(after: $0) }.dropFirst().prefix { $0 <= end }
    }

    // MARK: Cron

    /// The calendar repeats after 400 years; what did not happen by then never will.
    private static let horizon: Int64 = 400 * 366 * 86_400

    /// Goes from one change of the clocks to the next: between two, local time and elapsed time are the same.
    private func next(_ expression: CronExpression, from start: Int64) -> Int64? {
        let horizon = start + Self.horizon
        var second = start
        while second < horizon {
            let span = zone.span(at: second)
            let end = span.end ?? horizon
            let offset = Int64(span.offset.seconds)
            if span.start == second, runsAfterGap(expression, span) { return second }
            let from = max(second + offset, firstNewLocal(expression, span))
            if let local = expression.nextLocal(from: from, before: end + offset) { return local - offset }
            second = end
        }
        return nil
    }

    /// Whether the clocks have just skipped a time at which it should have happened.
    private func runsAfterGap(_ expression: CronExpression, _ span: ZoneRules.Span) -> Bool {
        gap == .run && skipped(expression, span) != nil
    }

    /// The first fixed time of `expression` that the clocks skip where `span` begins, in local seconds.
    func skipped(_ expression: CronExpression, _ span: ZoneRules.Span) -> Int64? {
        guard let start = span.start, !expression.followsElapsedTime else { return nil }
        return expression.nextLocal(
            from: start + Int64(span.previous.seconds), before: start + Int64(span.offset.seconds))
    }

    /// The first local time of `span` at which it may happen: where the clocks were set back, a fixed time that they
    /// have shown before is over.
    private func firstNewLocal(_ expression: CronExpression, _ span: ZoneRules.Span) -> Int64 {
        guard let start = span.start, fold == .once, !expression.followsElapsedTime else { return .min }
        return start + Int64(span.previous.seconds)
    }
}
