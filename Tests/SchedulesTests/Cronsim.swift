import Foundation
import Schedules

/// PyPI's `cronsim`, which reproduces Debian's cron, asked about many times at once in one Python process.
struct Cronsim {
    /// The virtual environment that `make test` makes.
    static let python = ".build/test-python/bin/python3"

    /// How far cronsim looks, from the year of the question on.
    static let years = 1

    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    struct Question {
        var expression: String
        var zone: ZoneRules
        /// Seconds since 1970.
        var after: Int64
    }

    enum Answer: Equatable {
        case at(Int64)
        /// Not within `years`; left to itself it would look for fifty, which takes too long.
        case never
        /// Refused because no month has such a day.
        case refused
        /// Its clock went backwards while it looked; left to itself it would look for ever.
        case lost
    }

    /// A line in is a question, a line out its answer. An answer that is not after the instant asked for comes from the
    /// second half of an overlap, which cronsim does not tell from the first: then the next is the answer.
    private static let script = """
        import sys
        from datetime import datetime
        from zoneinfo import ZoneInfo
        from cronsim import CronSim, CronSimError
        class Lost(Exception):
            pass
        class Nearby(CronSim):
            seen = 0
            def advance_month(self):
                if self.dt.year > self.last_year:
                    raise StopIteration
                if self.dt.tzinfo is not None:
                    if self.dt.timestamp() < self.seen:
                        raise Lost
                    self.seen = self.dt.timestamp()
                super().advance_month()
        zones = {}
        for line in sys.stdin:
            text, name, second = line.rstrip("\\n").split("\\t")
            zone = zones.setdefault(name, ZoneInfo(name))
            after = int(second)
            try:
                start = datetime.fromtimestamp(after, zone)
                found = Nearby(text, start)
                found.last_year = start.year + \(years)
                answer = next(found)
                while answer.timestamp() <= after:
                    answer = next(found)
                print(int(answer.timestamp()))
            except CronSimError:
                print("refused")
            except Lost:
                print("lost")
            except StopIteration:
                print("never")
        """

    static func answers(to questions: [Question], in folder: String) async throws -> [Answer] {
        guard FileManager.default.isExecutableFile(atPath: python) else {
            throw Failure(description: "\(python) is missing; `make test` makes it and installs cronsim there")
        }
        let (input, output) = ("\(folder)/questions", "\(folder)/answers")
        let lines = questions.map { "\($0.expression)\t\($0.zone.name)\t\($0.after)\n" }
        try lines.joined().write(toFile: input, atomically: false, encoding: .utf8)
        try Data().write(to: URL(fileURLWithPath: output))
        let process = Process()
        process.executableURL = URL(fileURLWithPath: python)
        process.arguments = ["-c", script]
        process.standardInput = FileHandle(forReadingAtPath: input)
        process.standardOutput = FileHandle(forWritingAtPath: output)
        let status = try await withCheckedThrowingContinuation { continuation in
            process.terminationHandler = { continuation.resume(returning: $0.terminationStatus) }
            do { try process.run() } catch { continuation.resume(throwing: error) }
        }
        guard status == 0 else {
            throw Failure(description: "\(python) with cronsim ended with status \(status)")
        }
        return try String(contentsOfFile: output, encoding: .utf8).split(separator: "\n").map { line in
            if let second = Int64(line) { return .at(second) }
            switch line {
            case "never": return .never
            case "lost": return .lost
            default: return .refused
            }
        }
    }
}
