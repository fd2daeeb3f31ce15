/// Why a text is not a route; `offset` counts Unicode scalars from its start.
package struct RouteError: Error, Sendable, Equatable, CustomStringConvertible {
    package var message: String
    package var offset: Int

    package var description: String { message }
}

extension RoutePattern {
    /// Reads `/orders/{id?}`.
    ///
    /// Literals are compared with the percent-decoded path, so they hold the characters themselves; `%`, `?`, `#`
    /// and what cannot stand in a path are refused.
    package init(_ text: String) throws(RouteError) {
        guard text.hasPrefix("/") else {
            throw RouteError(message: "a path begins with '/'; write '/\(text)'", offset: 0)
        }
        var segments: [Segment] = []
        var names: Set<String> = []
        var offset = 1
        let parts = text == "/" ? [] : text.dropFirst().split(separator: "/", omittingEmptySubsequences: false)
        for (index, part) in parts.enumerated() {
            let segment = try Segment(part, isLast: index == parts.count - 1, offset: offset)
            if let name = segment.parameterName, !names.insert(name).inserted {
                throw RouteError(
                    message: "the parameter '\(name)' occurs twice; give each its own name", offset: offset)
            }
            guard index > 0 || segment != .literal(Self.reserved) else {
                throw RouteError(
                    message: "paths below /\(Self.reserved) are the host's own; begin the path with another name",
                    offset: offset)
            }
            segments.append(segment)
            offset += part.unicodeScalars.count + 1
        }
        self.init(segments: segments, description: text)
    }

    /// Requests whose path begins with this segment reach no function.
    package static let reserved = "_apus"

    /// What two patterns have in common when no request can tell them apart: `/a/{x}` and `/a/{y}`.
    var shape: String {
        segments.map { segment in
            switch segment {
            case .literal(let text): "/" + text
            case .parameter: "/{}"
            case .optional: "/{?}"
            case .rest: "/{*}"
            }
        }.joined()
    }
}

extension RoutePattern.Segment {
    var parameterName: String? {
        switch self {
        case .literal: nil
        case .parameter(let name), .optional(let name), .rest(let name): name
        }
    }

    fileprivate init(_ part: Substring, isLast: Bool, offset: Int) throws(RouteError) {
        guard !part.isEmpty else {
            let advice = isLast ? "leave out the '/' at the end" : "leave out one '/'"
            throw RouteError(message: "an empty segment; \(advice)", offset: offset)
        }
        if part.contains("{") || part.contains("}") {
            self = try Self.parameter(part, isLast: isLast, offset: offset)
        } else {
            try Self.checkLiteral(part, offset: offset)
            self = .literal(String(part))
        }
    }

    private static func parameter(_ part: Substring, isLast: Bool, offset: Int) throws(RouteError) -> Self {
        var name = part.dropFirst().dropLast()
        guard part.first == "{", part.last == "}", part.count > 2, !name.contains(where: { "{}".contains($0) }) else {
            throw RouteError(
                message: "'\(part)' is neither a literal nor a parameter; a parameter is a whole segment, such as {id}",
                offset: offset)
        }
        let mark = name.last.flatMap { "?*".contains($0) ? $0 : nil }
        if mark != nil { name.removeLast() }
        guard isParameterName(name) else {
            throw RouteError(
                message: "'\(name)' is no parameter name; use letters, digits, '_' and '-', a letter first",
                offset: offset)
        }
        guard isLast || mark == nil else {
            throw RouteError(message: "'\(part)' can only be the last segment", offset: offset)
        }
        switch mark {
        case "?": return .optional(String(name))
        case "*": return .rest(String(name))
        default: return .parameter(String(name))
        }
    }

    private static func isParameterName(_ name: Substring) -> Bool {
        guard let first = name.first, first.isASCII, first.isLetter || first == "_" else { return false }
        return name.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_" || $0 == "-") }
    }

    /// RFC 3986 §3.3 `pchar` without percent-encoding, and everything beyond ASCII (as an IRI, RFC 3987).
    private static func checkLiteral(_ part: Substring, offset: Int) throws(RouteError) {
        if part == "." || part == ".." {
            throw RouteError(message: "'\(part)' is no segment: clients resolve it before they ask", offset: offset)
        }
        for (index, scalar) in part.unicodeScalars.enumerated() where !isPathScalar(scalar) {
            let advice = scalar == "%" ? "; write the character itself, not its code" : ""
            throw RouteError(
                message: "the character '\(scalar)' cannot stand in a path\(advice)", offset: offset + index)
        }
    }

    private static func isPathScalar(_ scalar: Unicode.Scalar) -> Bool {
        guard scalar.isASCII else { return !scalar.properties.isWhitespace }
        return scalar.properties.isAlphabetic || ("0"..."9").contains(scalar)
            || "-._~!$&'()*+,;=:@".unicodeScalars.contains(scalar)
    }
}
