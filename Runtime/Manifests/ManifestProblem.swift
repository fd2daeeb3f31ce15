/// One thing that is wrong with a manifest, said to the person who wrote it.
package struct ManifestProblem: Error, Sendable, Hashable, CustomStringConvertible {
    /// The path as the user gave it, or the folder that the user gave and the file's name.
    package var file: String
    /// Counted from 1; `nil` when the problem is of the file as a whole, such as one that cannot be read.
    package var position: Position?
    /// What was expected, what was found, and what to do.
    package var message: String
    /// It is no fault, and perhaps not what was meant.
    package private(set) var isWarning = false

    package init(file: String, position: Position? = nil, message: String) {
        self.file = file
        self.position = position
        self.message = message
    }

    static func warning(_ message: String, file: String, position: Position? = nil) -> ManifestProblem {
        var warning = ManifestProblem(file: file, position: position, message: message)
        warning.isWarning = true
        return warning
    }

    /// `FILE:LINE:COLUMN`, which editors and terminals turn into a link.
    package var place: String { position.map { "\(file):\($0.line):\($0.column)" } ?? file }

    package var description: String { "\(place): \(isWarning ? "warning: " : "")\(message)" }
}

/// A place in a file. Lines and columns count from 1, columns in Unicode scalars.
package struct Position: Sendable, Hashable, Comparable {
    package var line: Int
    package var column: Int

    package init(line: Int, column: Int) {
        self.line = line
        self.column = column
    }

    package static func < (left: Position, right: Position) -> Bool {
        (left.line, left.column) < (right.line, right.column)
    }
}

/// Gathers the problems of one file while it is read, so that one run tells all of them.
final class Report {
    let file: String
    private(set) var problems: [ManifestProblem] = []
    private(set) var warnings: [ManifestProblem] = []
    private var known: Set<ManifestProblem> = []
    /// Places of keys that stand in their mapping again, which has been reported; what they say is not read.
    var superseded: Set<Position> = []

    init(file: String) { self.file = file }

    /// Once, also when an alias shows the same place again.
    func add(_ position: Position?, _ message: String) {
        let problem = ManifestProblem(file: file, position: position, message: message)
        if known.insert(problem).inserted { problems.append(problem) }
    }

    /// Says what the functions run with all the same.
    func warn(_ position: Position, _ message: String) {
        let warning = ManifestProblem.warning(message, file: file, position: position)
        if known.insert(warning).inserted { warnings.append(warning) }
    }

    /// By position, the problems of the whole file first; those of one place in the order of their discovery.
    var sorted: [ManifestProblem] {
        let start = Position(line: 0, column: 0)
        return problems.enumerated().sorted {
            ($0.element.position ?? start, $0.offset) < ($1.element.position ?? start, $1.offset)
        }.map(\.element)
    }
}

/// Something that was read, with the place to which a later check points.
struct Located<Wrapped> {
    var value: Wrapped
    var report: Report
    var position: Position

    /// `FILE:LINE:COLUMN`, for messages that name another place.
    var place: String { "\(report.file):\(position.line):\(position.column)" }
}
