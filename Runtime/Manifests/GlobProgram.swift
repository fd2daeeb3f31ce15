/// A glob pattern as a non-deterministic automaton, run over all its states at once (Ken Thompson, "Regular Expression
/// Search Algorithm", CACM 1968), so that no pattern makes it backtrack.
enum GlobProgram {
    enum Step: Sendable, Hashable {
        case scalar(Unicode.Scalar)
        /// A dot that is not the first character of its name.
        case innerDot
        /// Any character but `/`.
        case any
        case set(GlobSet)
        /// Goes on at both.
        case split(Int, Int)
        case jump(Int)
        /// Whatever segments follow from here, the pattern matches.
        case everything
        case accept
    }

    struct Result {
        /// The whole text matches.
        var accepts = false
        /// More text could match.
        var isAlive = false
        /// Every further text matches.
        var acceptsAll = false
    }

    static func compile(_ tokens: [GlobToken]) -> [Step] {
        var compiler = Compiler(tokens: tokens)
        compiler.compile()
        return compiler.steps
    }

    static func run(_ program: [Step], over text: String, hidden: Bool) -> Result {
        var states = States(program: program)
        var next = States(program: program)
        states.add(0, of: program)
        var segmentStarts = true
        for scalar in text.unicodeScalars {
            let wild = scalar != "/" && (hidden || !segmentStarts || scalar != ".")
            next.removeAll()
            for state in states.list {
                switch program[state] {
                case .scalar(let expected) where expected == scalar: next.add(state + 1, of: program)
                case .innerDot where scalar == "." && wild: next.add(state + 1, of: program)
                case .any where wild: next.add(state + 1, of: program)
                case .set(let set) where wild && set.contains(scalar): next.add(state + 1, of: program)
                case .scalar, .innerDot, .any, .set, .split, .jump, .everything, .accept: break
                }
            }
            swap(&states, &next)
            if states.list.isEmpty { return Result() }
            segmentStarts = scalar == "/"
        }
        return states.result(in: program)
    }

    /// The live states; those that only lead on are followed at once, and kept for what they tell.
    private struct States {
        var list: [Int] = []
        private var mark: [Int]
        private var generation = 1

        init(program: [Step]) { mark = Array(repeating: 0, count: program.count) }

        mutating func removeAll() {
            list.removeAll(keepingCapacity: true)
            generation += 1
        }

        mutating func add(_ state: Int, of program: [Step]) {
            guard mark[state] != generation else { return }
            mark[state] = generation
            switch program[state] {
            case .split(let left, let right):
                add(left, of: program)
                add(right, of: program)
            case .jump(let target): add(target, of: program)
            case .everything:
                list.append(state)
                add(state + 1, of: program)
            case .scalar, .innerDot, .any, .set, .accept: list.append(state)
            }
        }

        func result(in program: [Step]) -> Result {
            var result = Result()
            for state in list {
                switch program[state] {
                case .accept: result.accepts = true
                case .everything: result.acceptsAll = true
                case .scalar, .innerDot, .any, .set, .split, .jump: result.isAlive = true
                }
            }
            return result
        }
    }
}

private struct Compiler {
    let tokens: [GlobToken]
    var position = 0
    var steps: [GlobProgram.Step] = []

    mutating func compile() {
        _ = sequence(from: .here)
        steps.append(.accept)
    }

    /// Whether a segment begins at a point of the pattern; that may depend on the alternative before it.
    private struct Start {
        var always: Bool
        var sometimes: Bool
        static let never = Start(always: false, sometimes: false)
        static let here = Start(always: true, sometimes: true)
    }

    private var next: GlobToken? { position < tokens.count ? tokens[position] : nil }

    /// Compiles up to the end of the pattern or of the alternative. Returns whether a segment begins behind it.
    private mutating func sequence(from start: Start) -> Start {
        var start = start
        while let token = next, token != .comma, token != .close {
            position += 1
            switch token {
            case .slash:
                steps.append(.scalar("/"))
                start = .here
                continue
            case .tree where start.always && next == .slash:
                position += 1
                segments(thenSlash: true)
                continue
            case .tree where start.always && (next == nil || next == .comma || next == .close):
                segments(thenSlash: false)
            case .open:
                start = group(from: start)
                continue
            case .run, .tree: run()
            case .one: steps.append(.any)
            case .set(let set): steps.append(.set(set))
            case .literal(".") where !start.sometimes: steps.append(.innerDot)
            case .literal(let scalar): steps.append(.scalar(scalar))
            case .comma, .close: break
            }
            start = .never
        }
        return start
    }

    private mutating func run() {
        let start = steps.count
        steps += [.split(start + 1, start + 3), .any, .jump(start)]
    }

    /// `**/`: no segment or more, each with its slash. `**` at the end: one segment or more.
    private mutating func segments(thenSlash: Bool) {
        let start = steps.count
        if thenSlash {
            steps += [.split(start + 1, start + 5), .any, .split(start + 1, start + 3), .scalar("/"), .jump(start)]
        } else {
            let marker: GlobProgram.Step = position == tokens.count ? .everything : .jump(start + 1)
            steps += [
                marker, .any, .split(start + 1, start + 3), .split(start + 4, start + 6), .scalar("/"), .jump(start),
            ]
        }
    }

    /// `{a,b}`: each alternative ends with a jump behind the group.
    private mutating func group(from start: Start) -> Start {
        var exits: [Int] = []
        var ends = Start(always: true, sometimes: false)
        while true {
            let fork = steps.count
            steps.append(.jump(fork + 1))
            let end = sequence(from: start)
            ends = Start(always: ends.always && end.always, sometimes: ends.sometimes || end.sometimes)
            exits.append(steps.count)
            steps.append(.jump(0))
            let ended = next != .comma
            position += 1
            if ended { break }
            steps[fork] = .split(fork + 1, steps.count)
        }
        for exit in exits { steps[exit] = .jump(steps.count) }
        return ends
    }
}
