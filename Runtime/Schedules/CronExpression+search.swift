package import Events

extension CronExpression {
    /// The first local time from `start` on, and before `end`, that matches. Local times are counted in seconds since
    /// 1970-01-01T00:00:00 on the same clock; there are 86,400 of them in each day.
    func nextLocal(from start: Int64, before end: Int64) -> Int64? {
        let startDay = start.flooredDivision(by: 86_400)
        let today = CivilDate(daysSinceEpoch: Int(startDay))
        if matches(today), let second = nextSecondOfDay(from: Int(start - startDay * 86_400)) {
            let local = startDay * 86_400 + Int64(second)
            return local < end ? local : nil
        }
        let lastDay = CivilDate(daysSinceEpoch: Int((end - 1).flooredDivision(by: 86_400)))
        let tomorrow = CivilDate(daysSinceEpoch: Int(startDay) + 1)
        guard let day = nextDay(from: tomorrow, through: lastDay), let second = nextSecondOfDay(from: 0) else {
            return nil
        }
        let local = Int64(day.daysSinceEpoch) * 86_400 + Int64(second)
        return local < end ? local : nil
    }

    /// The first day from `start` on that matches; `nil` when there is none in 400 years, and so never.
    func nextDay(from start: CivilDate) -> CivilDate? {
        nextDay(from: start, through: CivilDate(year: start.year + 400, month: start.month, day: start.day))
    }

    private func nextDay(from start: CivilDate, through end: CivilDate) -> CivilDate? {
        var (year, month, firstDay) = (start.year, start.month, start.day)
        while (year, month) <= (end.year, end.month) {
            let days = daysMatching(year: year, month: month) & ~0 << UInt64(firstDay)
            if days != 0 { return CivilDate(year: year, month: month, day: days.trailingZeroBitCount) }
            firstDay = 1
            (year, month) = month == 12 ? (year + 1, 1) : (year, month + 1)
        }
        return nil
    }

    package func matches(_ date: CivilDate) -> Bool {
        daysMatching(year: date.year, month: date.month) >> UInt64(date.day) & 1 == 1
    }

    /// The first second of a day, from `start` on, that the three time fields match.
    private func nextSecondOfDay(from start: Int) -> Int? {
        let (hour, minute, second) = (start / 3600, start / 60 % 60, start % 60)
        if hours >> UInt64(hour) & 1 == 1 {
            if minutes >> UInt64(minute) & 1 == 1, let next = seconds.firstBit(from: second) {
                return hour * 3600 + minute * 60 + next
            }
            if let next = minutes.firstBit(from: minute + 1) {
                return hour * 3600 + next * 60 + seconds.trailingZeroBitCount
            }
        }
        guard let next = hours.firstBit(from: hour + 1) else { return nil }
        return next * 3600 + minutes.trailingZeroBitCount * 60 + seconds.trailingZeroBitCount
    }

    // MARK: Days of a month

    /// Bit n is set when the nth of the month matches.
    private func daysMatching(year: Int, month: Int) -> UInt64 {
        guard months >> UInt64(month) & 1 == 1 else { return 0 }
        let shape = MonthShape(year: year, month: month)
        let byDate = shape.days(ofMonth: dayOfMonth)
        let byWeekday = shape.days(ofWeek: dayOfWeek)
        return dayOfMonth.startsWithStar || dayOfWeek.startsWithStar ? byDate & byWeekday : byDate | byWeekday
    }
}

/// All that matters of one month: on which day of the week it begins, and its length.
private struct MonthShape {
    /// 0 is Sunday.
    let firstWeekday: Int
    let length: Int

    init(year: Int, month: Int) {
        let first = CivilDate(year: year, month: month, day: 1).daysSinceEpoch
        let next =
            month == 12 ? CivilDate(year: year + 1, month: 1, day: 1) : CivilDate(year: year, month: month + 1, day: 1)
        length = next.daysSinceEpoch - first
        // 1970-01-01 was a Thursday.
        firstWeekday = ((first + 4) % 7 + 7) % 7
    }

    private var all: UInt64 { (1 << UInt64(length + 1)) - 2 }

    private func weekday(_ day: Int) -> Int { (firstWeekday + day - 1) % 7 }

    func days(ofMonth terms: CronTerms) -> UInt64 {
        var days = terms.values
        for distance in terms.fromEnd.bits where distance < length { days |= 1 << UInt64(length - distance) }
        for day in terms.nearest.bits where day <= length { days |= 1 << UInt64(nearestWorkday(day)) }
        for distance in terms.nearestFromEnd.bits where distance < length {
            days |= 1 << UInt64(nearestWorkday(length - distance))
        }
        return days & all
    }

    func days(ofWeek terms: CronTerms) -> UInt64 {
        if terms.values == CronField.dayOfWeek.all { return all }
        var days: UInt64 = 0
        for weekday in 0..<7 {
            let first = (weekday - firstWeekday + 7) % 7 + 1
            // Bits 0, 7, 14, 21 and 28.
            let same = 0x1020_4081 << UInt64(first) & all
            if terms.values >> UInt64(weekday) & 1 == 1 { days |= same }
            if terms.lastOfMonth >> UInt64(weekday) & 1 == 1 { days |= 1 << UInt64(63 - same.leadingZeroBitCount) }
            let weeks = terms.nth >> UInt64(weekday) & 0x1020_4081
            days |= weeks << UInt64(first) & all
        }
        return days
    }

    /// `day`, or the Friday before or the Monday after it, without leaving the month.
    private func nearestWorkday(_ day: Int) -> Int {
        switch weekday(day) {
        case 6: day == 1 ? 3 : day - 1
        case 0: day == length ? day - 2 : day + 1
        default: day
        }
    }
}

extension UInt64 {
    /// The positions of its ones, ascending.
    fileprivate var bits: UnfoldSequence<Int, UInt64> {
        sequence(state: self) { rest in
            guard rest != 0 else { return nil }
            defer { rest &= rest - 1 }
            return rest.trailingZeroBitCount
        }
    }

    /// The position of its first one at `start` or above.
    fileprivate func firstBit(from start: Int) -> Int? {
        let rest = self >> UInt64(start)
        return rest == 0 ? nil : start + rest.trailingZeroBitCount
    }
}
