/// One system call of a traced process, as `strace -f -yy` writes it.
package struct SystemCall: Sendable, Hashable {
    package var process: Int
    package var name: String
    /// What the first argument, a descriptor, stands for: a path, or `TCP:[…]`.
    package var target: String
    /// All arguments as they were written.
    package var arguments: String
    /// What it returned; `nil` when it never did.
    package var result: Int?
    /// The lines at which it was entered and left. What a thread does after a call comes after the line at which the
    /// call was left, since the tracer lets it go on only then.
    package var begin: Int
    package var end: Int?

    /// Reads the output of strace. Lines that are no calls, such as signals, are left out.
    package static func parse(_ text: String) -> [SystemCall] {
        var calls: [SystemCall] = []
        var unfinished: [String: Int] = [:]
        for (number, line) in text.split(separator: "\n").enumerated() {
            let parts = line.split(maxSplits: 1, whereSeparator: \.isWhitespace)
            guard parts.count == 2, let process = Int(parts[0]) else { continue }
            let rest = parts[1].drop(while: \.isWhitespace)
            if rest.hasPrefix("<... ") {
                let name = rest.dropFirst(5).prefix { $0 != " " }
                guard let index = unfinished.removeValue(forKey: "\(process) \(name)") else { continue }
                calls[index].result = result(of: rest)
                calls[index].end = number
            } else if let open = rest.firstIndex(of: "("), rest[..<open].allSatisfy({ $0.isLetter || $0.isNumber }) {
                let name = String(rest[..<open])
                let arguments = rest[rest.index(after: open)...]
                let isOver = !arguments.hasSuffix("<unfinished ...>")
                if !isOver { unfinished["\(process) \(name)"] = calls.count }
                calls.append(
                    SystemCall(
                        process: process, name: name, target: target(of: arguments), arguments: String(arguments),
                        result: isOver ? result(of: rest) : nil, begin: number, end: isOver ? number : nil))
            }
        }
        return calls
    }

    /// Of `17</data/apus.db-wal>, …` and `18<TCP:[127.0.0.1:8080->127.0.0.1:5000]>, …`.
    private static func target(of arguments: Substring) -> String {
        guard let open = arguments.firstIndex(of: "<"), arguments[..<open].allSatisfy(\.isNumber) else { return "" }
        let inside = arguments[arguments.index(after: open)...]
        guard let end = inside.firstRange(of: ">, ") ?? inside.firstRange(of: ">)") ?? inside.firstRange(of: "> <")
        else {
            return ""
        }
        return String(inside[..<end.lowerBound])
    }

    private static func result(of line: Substring) -> Int? {
        guard let equals = line.ranges(of: " = ").last else { return nil }
        return Int(line[equals.upperBound...].prefix { $0 == "-" || $0.isNumber })
    }
}
