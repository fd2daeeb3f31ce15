import Foundation

/// The tables of tests in a Go source file: rows such as `{"a", "b", true},` under `func TestName(`.
///
/// It knows exactly what the files of Debian's `golang-github-robfig-cron-dev` need: string and boolean literals, line
/// comments, one row a line.
struct GoTables {
    static let folder = "/usr/share/gocode/src/github.com/robfig/cron"

    private let lines: [Substring]

    struct Missing: Error, CustomStringConvertible {
        let path: String
        var description: String {
            "\(path) is missing; `make test` installs Debian's golang-github-robfig-cron-dev, which has it"
        }
    }

    init(file: String) throws {
        let path = "\(Self.folder)/\(file)"
        guard let source = try? String(contentsOfFile: path, encoding: .utf8) else { throw Missing(path: path) }
        lines = source.split(separator: "\n")
    }

    /// Each row of the function `test`, its literals in order.
    func rows(of test: String) -> [[String]] {
        let body = lines.drop { !$0.hasPrefix("func \(test)(") }.dropFirst().prefix { $0 != "}" }
        return body.compactMap { line in
            let text = line.drop(while: \.isWhitespace)
            guard text.hasPrefix("{\"") || text.hasPrefix("\"") else { return nil }
            return literals(in: text)
        }
    }

    private func literals(in row: Substring) -> [String] {
        var found: [String] = []
        var isQuoted = false
        for part in row.split(separator: "\"", omittingEmptySubsequences: false) {
            if isQuoted {
                found.append(String(part))
            } else {
                let code = part.split(separator: "//", maxSplits: 1, omittingEmptySubsequences: false)[0]
                found += code.split { !$0.isLetter }.map(String.init)
                if code.count < part.count { break }
            }
            isQuoted.toggle()
        }
        return found
    }
}
