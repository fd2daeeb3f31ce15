package import Events
package import Manifests
package import Schedules

/// What will fire when, in the order of time: the timers of manifests on a virtual clock. Each line is worked out when
/// it is asked for, so that a long forecast needs no memory.
package struct TimerForecast: Sequence, Sendable {
    package struct Line: Sendable, Hashable {
        package var function: String
        /// Among the timer triggers of the function, from 0.
        package var index: Int
        package var time: WallTime
        /// RFC 3339 with the offset of the trigger's zone.
        package var local: String
        /// Such as `CEST`.
        package var zoneAbbreviation: String
        /// False for a time that does not exist and is skipped.
        package var fires: Bool
        /// What the clocks do to it, if anything.
        package var remark: String?
    }

    private let definitions: [TimerDefinition]
    private let start: WallTime
    private let end: WallTime

    /// From `start` on, itself included, for less than `duration`.
    ///
    /// - Throws: for a zone that tzdata does not know.
    package init(_ manifests: [Manifest], from start: WallTime, for duration: Duration) throws(ScheduleError) {
        definitions = try TimerDefinition.all(of: manifests)
        self.start = start.advanced(by: .milliseconds(-1))
        end = start.advanced(by: duration).advanced(by: .milliseconds(-1))
    }

    package func makeIterator() -> Iterator { Iterator(definitions, after: start, through: end) }

    package struct Iterator: IteratorProtocol {
        private let definitions: [TimerDefinition]
        private let end: WallTime
        private var heap = DueHeap()
        /// The skipped times of each timer that are still to come, latest first.
        private var skips: [[(time: WallTime, remark: String)]]

        fileprivate init(_ definitions: [TimerDefinition], after start: WallTime, through end: WallTime) {
            self.definitions = definitions
            self.end = end
            skips = definitions.map { $0.schedule.skips(after: start, through: end).reversed() }
            for number in definitions.indices { advance(number, after: start) }
            for (number, skips) in skips.enumerated() {
                for skip in skips { heap.insert(DueHeap.Element(due: skip.time, number: number + definitions.count)) }
            }
        }

        package mutating func next() -> Line? {
            guard let first = heap.popFirst() else { return nil }
            let isSkip = first.number >= definitions.count
            let number = isSkip ? first.number - definitions.count : first.number
            let definition = definitions[number]
            let remark = isSkip ? skips[number].popLast()?.remark : definition.schedule.remark(at: first.due)
            if !isSkip { advance(number, after: first.due) }
            return Line(
                function: definition.function, index: definition.index, time: first.due,
                local: definition.schedule.zone.localText(of: first.due),
                zoneAbbreviation: definition.schedule.zone.offset(at: first.due).abbreviation, fires: !isSkip,
                remark: remark)
        }

        private mutating func advance(_ number: Int, after time: WallTime) {
            guard let due = definitions[number].schedule.next(after: time), due <= end else { return }
            heap.insert(DueHeap.Element(due: due, number: number))
        }
    }
}
