import Events
import Schedules
import Testing

extension WallTime {
    /// Reads `2026-03-29T01:30:00Z`, or with `+0530` or `+05:30` in place of `Z`. Tests only write valid ones.
    init(_ text: String) {
        let numbers = text.split { !$0.isNumber }.compactMap { Int64($0) }
        let days = Int64(CivilDate(year: Int(numbers[0]), month: Int(numbers[1]), day: Int(numbers[2])).daysSinceEpoch)
        var seconds = days * 86_400 + numbers[3] * 3600 + numbers[4] * 60 + numbers[5]
        if let sign = text.dropFirst(19).first, sign != "Z" {
            let zone = text.dropFirst(20).filter(\.isNumber).compactMap(\.wholeNumberValue)
            let east = Int64((zone[0] * 10 + zone[1]) * 3600 + (zone[2] * 10 + zone[3]) * 60)
            seconds -= sign == "-" ? -east : east
        }
        self.init(milliseconds: seconds * 1000)
    }
}

extension Schedule {
    func instants(after start: WallTime, count: Int) -> [WallTime] {
        Array(sequence(first: start) { next(after: $0) }.dropFirst().prefix(count))
    }
}
