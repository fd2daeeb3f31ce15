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

        /// `pretty` on a terminal that has colours and where `NO_COLOR` (https://no-color.org) is not set.
        package static var automatic: Format {
            let environment = (colour: getenv("NO_COLOR"), terminal: getenv("TERM").map { String(cString: $0) })
            let wantsColour = environment.colour.map { $0.pointee == 0 } ?? true
            return isatty(STDERR_FILENO) == 1 && wantsColour && environment.terminal != "dumb" ? .pretty : .plain
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
            Self.write(Array(text.utf8), to: descriptor)
        }
    }

    /// Takes a line. Never blocks.
    package func show(_ line: LogLine) {
        if line.level >= level { queue.add(line) }
    }

    /// Blocks until what was shown before is out.
    package func flush() { queue.flush() }

    /// What cannot be written is lost: there is nowhere left to say so.
    private static func write(_ bytes: [UInt8], to descriptor: Int32) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count > 0 {
                rest = rest.dropFirst(count)
            } else if count < 0, errno == EAGAIN {
                var waiting = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                guard poll(&waiting, 1, 1000) > 0 else { return }
            } else if errno != EINTR {
                return
            }
        }
    }
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
        parts.append(printable(line.message))
        parts += line.metadata.map { paint("\($0.name)=\(printable($0.value))", "2") }
        return parts.joined(separator: " ")
    }

    /// Control characters would let a handler's output steer the terminal; they are shown as pictures (U+2400…).
    private static func printable(_ text: String) -> String {
        guard text.utf8.contains(where: { $0 < 0x20 && $0 != 0x09 || $0 == 0x7F }) else { return text }
        return String(
            String.UnicodeScalarView(
                text.unicodeScalars.map { scalar in
                    scalar.value < 0x20 && scalar != "\t"
                        ? Unicode.Scalar(0x2400 + scalar.value) ?? "?" : scalar.value == 0x7F ? "\u{2421}" : scalar
                }))
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
