import Events
import Foundation
import Manifests
import Testing

@Suite struct GoldenTests {
    @Test("a valid manifest is frozen into its golden value", arguments: Fixtures.valid)
    func valid(_ name: String) throws {
        let path = Fixtures.path("valid", name)
        let result = ManifestLoader.load([path], handlers: .unchecked)
        #expect(result.problems.map(\.description) == [])
        let text = result.manifests.map { Rendering.text($0) }.joined(separator: "\n")
        try Fixtures.expect(
            text.replacing(Fixtures.folder, with: "FIXTURES"), equalsGolden: "\(Fixtures.folder)/valid/\(name).txt")
    }

    @Test("an invalid manifest gets exactly its golden messages", arguments: Fixtures.invalid)
    func invalid(_ name: String) throws {
        let result = ManifestLoader.load([Fixtures.path("invalid", name)])
        #expect(!result.problems.isEmpty)
        let text = result.problems.map { "\($0)\n" }.joined()
        try Fixtures.expect(
            text.replacing(Fixtures.folder + "/invalid/", with: ""),
            equalsGolden: "\(Fixtures.folder)/invalid/\(name).error")
    }

    @Test("there are golden fixtures enough")
    func counts() {
        #expect(Fixtures.valid.count >= 20)
        #expect(Fixtures.invalid.count >= 60)
    }

    @Test("a golden message names its file and, unless it is of the whole file, line and column")
    func positions() throws {
        for name in Fixtures.invalid {
            let golden = try String(contentsOfFile: "\(Fixtures.folder)/invalid/\(name).error", encoding: .utf8)
            for line in golden.split(separator: "\n") {
                #expect(line.contains(#/^[a-z0-9\/-]+\.yaml:[0-9]+:[0-9]+: /#), "\(line)")
            }
        }
    }
}

/// A value as a tree of its properties, one a line, in a stable order.
enum Rendering {
    static func text(_ value: Any, indentation: String = "") -> String {
        var text = ""
        for (index, child) in Mirror(reflecting: value).children.enumerated() {
            let label = child.label ?? String(index)
            if let leaf = leaf(child.value) {
                text += "\(indentation)\(label): \(leaf)\n"
            } else {
                let nested = self.text(child.value, indentation: indentation + "  ")
                text +=
                    nested.isEmpty ? "\(indentation)\(label): \(child.value)\n" : "\(indentation)\(label):\n\(nested)"
            }
        }
        return text
    }

    private static func leaf(_ value: Any) -> String? {
        switch value {
        case let text as String: text.debugDescription
        case let duration as Duration: Quantity.text(duration)
        case let time as WallTime: time.description
        case let glob as Glob: glob.description
        case let globs as [Glob]: globs.isEmpty ? "[]" : globs.map(\.description).joined(separator: " ")
        case let strings as [String]: "\(strings)"
        case let pairs as [String: String]: "\(pairs.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" })"
        case let kinds as Set<FileTrigger.Kind>: kinds.map(\.rawValue).sorted().joined(separator: " ")
        case let pattern as RoutePattern:
            ([pattern.description] + pattern.segments.map { "\($0)" }).joined(separator: "  ").replacing(
                "Manifests.RoutePattern.Segment.", with: ".")
        case let number as any FixedWidthInteger: "\(number)"
        default: nil
        }
    }
}
