import Admin
import ArgumentParser
import Foundation
import Telemetry

extension StateCommand {
    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Lists keys and values, in the order of the keys' bytes.")

        @Argument(help: "The namespace.", transform: Name.read) var namespace: String
        @Option(help: "Only keys that begin with this.") var prefix: String?
        @Option(name: .shortAndLong, help: ArgumentHelp("At most so many; default: all.", valueName: "n"))
        var limit: Int?
        @Flag(help: "Print one JSON object a line.") var json = false
        @OptionGroup var host: AdminOptions

        func run() async throws {
            try await reporting {
                let client = try host.client()
                var left = limit ?? .max
                var after: String?
                repeat {
                    let page = try await client.get(
                        StateListDocument.self, target(after: after, limit: min(left, 1000)))
                    for entry in page.entries.prefix(left) { Terminal.line(try text(entry)) }
                    left -= page.entries.count
                    after = page.next
                } while after != nil && left > 0
            }
        }

        private func target(after: String?, limit: Int) -> Target {
            Target("v1", "state", namespace).with("prefix", prefix).with("after", after).with("limit", "\(limit)")
        }

        private func text(_ entry: StateListDocument.Entry) throws -> String {
            if json {
                let encoder = JSONEncoder()
                encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
                return String(decoding: try encoder.encode(entry), as: UTF8.self)
            }
            return "\(entry.key.printable())\t\(Self.shown(entry.value))"
        }

        /// Those that are not in texts.
        private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
            scalar.properties.generalCategory == .control && !"\n\r\t".unicodeScalars.contains(scalar)
        }

        /// A value on one line: text with its line breaks escaped and cut at 200 characters, or its size.
        static func shown(_ value: BytesDocument) -> String {
            guard let text = value.text,
                !text.unicodeScalars.contains(where: Self.isControl)
            else { return "(\(value.bytes?.count ?? 0) bytes)" }
            let escaped = text.replacing("\n", with: "\\n").replacing("\r", with: "\\r").replacing("\t", with: "\\t")
            return escaped.count > 200 ? escaped.prefix(199) + "…" : escaped
        }
    }
}
