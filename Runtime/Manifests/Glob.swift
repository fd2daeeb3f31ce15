/// A file-name pattern, matched against paths relative to the watched directory.
///
/// `?` is one character, `*` any run of them, `[a-z]` and `[!a-z]` a class, none of which match `/`;
/// `**` as a whole segment matches any number of segments; `{a,b}` either. Everything else is literal, and so is a
/// bracket or brace without its partner. A literal `*` is written `[*]`.
///
/// As in shells, no wildcard matches a dot at the beginning of a name, so that `**/*` leaves alone what is hidden:
/// `.git`, editors' swap files, the temporary names of rsync. A pattern that means them says so: `**/.*`.
package struct Glob: Sendable, Hashable, CustomStringConvertible {
    /// As written.
    package let description: String
    private let program: [GlobProgram.Step]

    package init(_ pattern: String) {
        description = pattern
        program = GlobProgram.compile(GlobToken.read(pattern).tokens)
    }

    /// Whether the pattern describes the whole of `path`. Takes time in proportion to path × pattern at worst.
    ///
    /// - Parameter hidden: wildcards match a leading dot as well.
    package func matches(_ path: String, hidden: Bool = false) -> Bool {
        GlobProgram.run(program, over: path, hidden: hidden).accepts
    }

    /// Whether some path below `directory` may match.
    package func mayMatch(below directory: String, hidden: Bool = false) -> Bool {
        GlobProgram.run(program, over: directory + "/", hidden: hidden).isAlive
    }

    /// Whether every path below `directory` matches, since the pattern ends in `**`.
    package func matchesAll(below directory: String, hidden: Bool = false) -> Bool {
        GlobProgram.run(program, over: directory + "/", hidden: hidden).acceptsAll
    }

    /// What is wrong with a pattern that a manifest has, in words that follow its quotation; `nil` for a good one.
    package static func problem(in pattern: String) -> String? {
        if pattern.isEmpty { return "is empty" }
        if pattern.unicodeScalars.count > 1000 { return "is longer than 1000 characters" }
        if pattern.hasPrefix("/") { return "begins with '/'; patterns are relative to the watched directory" }
        if pattern.split(separator: "/").contains("..") { return "leaves the watched directory with '..'" }
        if pattern.unicodeScalars.contains("\0") { return "has a NUL character, which no file name can have" }
        return GlobToken.read(pattern).problem
    }
}
