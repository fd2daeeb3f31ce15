import Events
import Glibc
package import Logging

/// Shows lines on standard error, from a thread of its own: a terminal that is held, or a pipe that nobody reads,
/// delays no one.
package final class Console: Sendable {
    package enum Format: String, Sendable, CaseIterable {
        /// For people, in colours.
        case pretty
        /// For people, without colours.
        case plain
        /// One JSON object a line.
        case json

        /// What suits standard error.
        package static var automatic: Format { automatic(on: STDERR_FILENO) }

        /// `pretty` on a terminal that has colours and where `NO_COLOR` (https://no-color.org) is not set.
        package static func automatic(on descriptor: Int32) -> Format {
            let environment = (colour: getenv("NO_COLOR"), terminal: getenv("TERM").map { String(cString: $0) })
            let wantsColour = environment.colour.map { $0.pointee == 0 } ?? true
            return isatty(descriptor) == 1 && wantsColour && environment.terminal != "dumb" ? .pretty : .plain
        }
    }

    private let level: Logger.Level
    private let queue: LineQueue

    /// - Parameters:
    ///   - level: shows lines of this level and above.
    ///   - descriptor: where to.
    package init(format: Format = .automatic, level: Logger.Level = .info, descriptor: Int32 = STDERR_FILENO) {
        self.level = level
        queue = LineQueue(label: "apus.console", capacity: 1 << 20) { lines, dropped in
            let all = dropped > 0 ? lines + [.dropped(dropped)] : lines
            let text = all.reduce(into: "") { $0 += format.text(of: $1) + "\n" }
            // What cannot be written is lost: there is nowhere left to say so.
            _ = Array(text.utf8).write(to: descriptor, patience: 1000)
        }
    }

    /// Takes a line. Never blocks.
    package func show(_ line: LogLine) {
        if line.level >= level { queue.add(line) }
    }

    /// Blocks until what was shown before is out.
    package func flush() { queue.flush() }
}

extension Console.Format {
    /// One line without its line break.
    package func text(of line: LogLine) -> String {
        switch self {
        case .json: line.json
        case .plain: Self.text(line, colours: false)
        case .pretty: Self.text(line, colours: true)
        }
    }

    /// `18:00:00.000 INFO  hello[4242] message key=value`, the time in UTC.
    private static func text(_ line: LogLine, colours: Bool) -> String {
        func paint(_ text: String, _ code: String) -> String { colours ? "\u{1B}[\(code)m\(text)\u{1B}[0m" : text }
        let level = line.level.rawValue.uppercased()
        var parts = [
            paint(String(line.time.description.dropFirst(11).dropLast()), "2"),
            paint(level + String(repeating: " ", count: max(0, 7 - level.count)), line.level.colour),
        ]
        if let function = line.function {
            parts.append(paint(function + (line.worker.map { "[\($0)]" } ?? ""), "36"))
        }
        parts.append(line.message.printable(tabs: true))
        parts += line.metadata.map { paint("\($0.name)=\($0.value.printable(tabs: true))", "2") }
        return parts.joined(separator: " ")
    }
}

extension Logger.Level {
    /// The terminal's colour for it (ECMA-48 SGR).
    var colour: String {
        switch self {
        case .trace, .debug: "2"
        case .info: "32"
        case .notice: "34"
        case .warning: "33"
        case .error: "31"
        case .critical: "1;31"
        }
    }
}
