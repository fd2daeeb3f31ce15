import Yams

/// What a scalar is by the core schema of YAML 1.2 (https://yaml.org/spec/1.2.2/#103-core-schema), which editors use
/// too. So `off`, `on` and `yes` are texts, and so is a date.
enum ScalarKind {
    case null, boolean, integer, fraction, text

    init(_ scalar: Node.Scalar) {
        guard scalar.style == .plain, ![Tag.Name.str, .nonSpecific].contains(Tag.Name(rawValue: scalar.tag.rawValue))
        else {
            self = .text
            return
        }
        switch scalar.string {
        case "", "~", "null", "Null", "NULL": self = .null
        case "true", "True", "TRUE", "false", "False", "FALSE": self = .boolean
        case let text where Self.isInteger(text): self = .integer
        case let text where Self.isFraction(text): self = .fraction
        default: self = .text
        }
    }

    /// The value of `[-+]?[0-9]+`, `0o17` or `0x1F`; `nil` past the range of `Int`.
    static func integer(_ text: String) -> Int? {
        if text.hasPrefix("0o") { return Int(text.dropFirst(2), radix: 8) }
        if text.hasPrefix("0x") { return Int(text.dropFirst(2), radix: 16) }
        return Int(text)
    }

    private static func isInteger(_ text: String) -> Bool {
        if text.hasPrefix("0o") { return text.count > 2 && text.dropFirst(2).allSatisfy { ("0"..."7").contains($0) } }
        if text.hasPrefix("0x") { return text.count > 2 && text.dropFirst(2).allSatisfy(\.isHexDigit) }
        let digits = text.first.map { "+-".contains($0) } ?? false ? text.dropFirst() : text[...]
        return !digits.isEmpty && digits.allSatisfy { ("0"..."9").contains($0) }
    }

    private static func isFraction(_ text: String) -> Bool {
        guard let first = text.utf8.first, (0x2B...0x39).contains(first), first != UInt8(ascii: ",") else {
            return false
        }
        let lowered = text.lowercased()
        if [".inf", "+.inf", "-.inf", ".nan"].contains(lowered) { return true }
        return text.utf8.allSatisfy { (0x30...0x39).contains($0) || "+-.eE".utf8.contains($0) } && Double(text) != nil
    }
}
