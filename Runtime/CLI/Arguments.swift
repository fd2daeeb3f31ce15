import ArgumentParser
import Events
import Foundation
import Manifests

/// What a thing is called: a function, a namespace, a key, an invocation, a file.
enum Name {
    /// An empty one, which may be a variable of a script that is not set, must not come to mean all that there is.
    static func read(_ argument: String) throws -> String {
        guard !argument.isEmpty else { throw ValidationError("it is empty") }
        return argument
    }
}

/// A length of time, as manifests write it.
struct TimeSpan: ExpressibleByArgument, Equatable {
    var duration: Duration

    init(_ duration: Duration) { self.duration = duration }

    init?(argument: String) {
        guard let duration = Quantity.duration(argument) else { return nil }
        self.duration = duration
    }

    /// Says what was expected, which `init` cannot.
    static func read(_ argument: String) throws -> TimeSpan {
        guard let span = TimeSpan(argument: argument) else {
            throw ValidationError("expected a length of time such as 200ms, 10s or 1h30m")
        }
        return span
    }

    var defaultValueDescription: String { Quantity.text(duration) }
}

/// A point in time: RFC 3339, a date (midnight UTC), or a length of time ago, such as `15m`.
struct Moment: ExpressibleByArgument, Equatable {
    enum Meaning: Equatable {
        case at(WallTime)
        case ago(Duration)
    }

    static let now = Moment(meaning: .ago(.zero))

    var meaning: Meaning

    private init(meaning: Meaning) { self.meaning = meaning }

    init?(argument: String) {
        if argument == "now" {
            self = .now
        } else if let duration = Quantity.duration(argument) {
            // A hundred years; further back the calendar has no more to say, and arithmetic soon overflows.
            guard duration <= .seconds(36_525 * 86_400) else { return nil }
            meaning = .ago(duration)
        } else if let time = WallTime(rfc3339: argument) ?? WallTime(rfc3339: argument + "T00:00:00Z") {
            meaning = .at(time)
        } else {
            return nil
        }
    }

    var defaultValueDescription: String { "now" }

    func time(now: WallTime = .now()) -> WallTime {
        switch meaning {
        case .at(let time): time
        case .ago(let duration): now.advanced(by: .zero - duration)
        }
    }
}

/// Bytes from the command line: the text itself, `@FILE`, or `-` for standard input.
enum Payload {
    static func bytes(_ argument: String) throws -> [UInt8] {
        if argument == "-" { return Array(FileHandle.standardInput.readDataToEndOfFile()) }
        guard argument.hasPrefix("@") else { return Array(argument.utf8) }
        let path = String(argument.dropFirst())
        do {
            return Array(try Data(contentsOf: URL(filePath: path)))
        } catch {
            throw Failure(.noInput, "cannot read \(path): \(error.localizedDescription)")
        }
    }
}
