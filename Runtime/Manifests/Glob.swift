/// A file-name pattern, matched against paths relative to the watched directory.
///
/// `?` is one character, `*` any run of them, `[a-z]` and `[!a-z]` a class, none of which match `/`;
/// `**` as a whole segment matches any number of segments; `{a,b}` either. Everything else is literal.
package struct Glob: Sendable, Hashable, CustomStringConvertible {
    /// As written.
    package let description: String

    package init(_ pattern: String) { description = pattern }
}
