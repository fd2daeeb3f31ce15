/// Random cron expressions in the part of the language that `cronsim` has as well.
struct CronGenerator {
    var random: SplitMix

    /// Five fields, or six in one of four.
    mutating func expression() -> String {
        var fields = [
            time(0...59), time(0...23), chance(2) ? "*" : day(), chance(2) ? "*" : month(),
            chance(2) ? "*" : weekday(),
        ]
        if chance(4) { fields.insert(time(0...59), at: 0) }
        return fields.joined(separator: " ")
    }

    mutating func chance(_ times: Int) -> Bool { Int.random(in: 0..<times, using: &random) == 0 }

    private mutating func time(_ range: ClosedRange<Int>) -> String {
        chance(4) ? "*" : list { $0.numbers(range) }
    }

    private mutating func day() -> String {
        if chance(6) { return "L" }
        if chance(6) { return "LW" }
        return list { $0.numbers(1...31) }
    }

    private mutating func month() -> String {
        let names = ["jan", "Feb", "MAR", "apr", "MAY", "jun", "Jul", "AUG", "sep", "OCT", "nov", "Dec"]
        return list { $0.chance(3) ? $0.pick(names) : $0.numbers(1...12) }
    }

    private mutating func weekday() -> String {
        let names = ["sun", "Mon", "TUE", "wed", "THU", "fri", "Sat"]
        return list { generator in
            switch Int.random(in: 0..<5, using: &generator.random) {
            case 0: generator.pick(names)
            case 1: "\(generator.pick(names))#\(Int.random(in: 1...5, using: &generator.random))"
            case 2: "\(Int.random(in: 0...7, using: &generator.random))L"
            default: generator.numbers(0...7)
            }
        }
    }

    private mutating func pick(_ names: [String]) -> String { names[Int.random(in: names.indices, using: &random)] }

    private mutating func list(_ term: (inout CronGenerator) -> String) -> String {
        let count = chance(4) ? Int.random(in: 2...4, using: &random) : 1
        return (0..<count).map { _ in term(&self) }.joined(separator: ",")
    }

    /// `7`, `3-9`, `3-9/2`, `7/4` or `*/5`.
    private mutating func numbers(_ range: ClosedRange<Int>) -> String {
        let step = Int.random(in: 1...range.upperBound - 1, using: &random)
        let first = Int.random(in: range, using: &random)
        let last = Int.random(in: first...range.upperBound, using: &random)
        // cronsim reads `9-9/3` as `9/3`; crontab(5) says that a step goes "through the range".
        if first == last { return "\(first)" }
        return switch Int.random(in: 0..<8, using: &random) {
        case 0: "*/\(step)"
        case 1: "\(first)/\(step)"
        case 2: "\(first)-\(last)/\(step)"
        case 3: "\(first)-\(last)"
        default: "\(first)"
        }
    }
}

/// SplitMix64, by Sebastiano Vigna: small, and the same everywhere for the same seed.
struct SplitMix: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }
}
