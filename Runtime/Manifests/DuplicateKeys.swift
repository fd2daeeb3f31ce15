import Yams

/// Keys that a mapping has twice.
///
/// Yams stops at the first of them and tells only its earlier place. So that all problems of a file are told, the key
/// there gets its first letter replaced by a mark (a private-use character, as wide as what it replaces), and the text
/// is read again.
struct DuplicateKeys {
    private static let marks = (0xE000..<0xE040 as Range<UInt32>).compactMap(Unicode.Scalar.init)

    /// The marked keys as they are written, by their places.
    private(set) var names: [Position: String] = [:]
    private var seen: Set<Position> = []

    /// `text` with the key `name` marked that begins at `place`, in quotes or without; `nil` when it is not there, or
    /// when there have been too many.
    mutating func mark(_ name: String, at place: Mark, of text: String) -> String? {
        guard names.count < Self.marks.count else { return nil }
        var scalars = text.unicodeScalars
        var index = scalars.startIndex
        for _ in 1..<max(1, place.line) {
            guard let end = scalars[index...].firstIndex(of: "\n") else { return nil }
            index = scalars.index(after: end)
        }
        guard scalars.formIndex(&index, offsetBy: place.column - 1, limitedBy: scalars.endIndex) else { return nil }
        if index < scalars.endIndex, "\"'".unicodeScalars.contains(scalars[index]) { scalars.formIndex(after: &index) }
        guard !name.isEmpty, scalars[index...].starts(with: name.unicodeScalars) else { return nil }
        scalars.replaceSubrange(index...index, with: CollectionOfOne(Self.marks[names.count]))
        names[Position(place)] = name
        return String(scalars)
    }

    /// Reports every key that came after a marked one.
    mutating func report(in node: Node, to report: Report) {
        guard !names.isEmpty else { return }
        switch node {
        case .scalar, .alias: return
        case .sequence(let items): for item in items { self.report(in: item, to: report) }
        case .mapping(let pairs):
            // An alias shows the same mapping again.
            guard let mark = pairs.mark, seen.insert(Position(mark)).inserted else { return }
            let keys = pairs.map { ($0.key, self.name(of: $0.key)) }
            for (index, (key, name)) in keys.enumerated() {
                guard let name, name != key.scalar?.string, let line = key.mark?.line,
                    let later = keys[(index + 1)...].first(where: { $0.1 == name })?.0.mark
                else { continue }
                report.add(Position(later), "duplicate key '\(name)'; line \(line) has it already")
            }
            for value in pairs.values { self.report(in: value, to: report) }
        }
    }

    /// As it was before it got its mark.
    private func name(of key: Node) -> String? { key.mark.flatMap { names[Position($0)] } ?? key.scalar?.string }
}
