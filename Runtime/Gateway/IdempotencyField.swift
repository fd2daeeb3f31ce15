import Events
import Manifests

extension IdempotencyKey {
    /// As long as the longest that clients of the well-known services send.
    static let longest = 255

    /// The key of a request to a route that takes one. `nil` when there is none, or none is needed: what is safe
    /// (RFC 9110 §9.2.1) may be repeated as it is.
    ///
    /// - Throws: a 400 for a key that is missing where it is required, or that is none.
    init?(of fields: RequestFields, to method: String, at route: Route) throws(Problem) {
        if Self.safeMethods.contains(method) { return nil }
        guard let value = fields.idempotencyKeys.first else {
            if route.idempotency == .required { throw .idempotencyKeyMissing }
            return nil
        }
        guard fields.idempotencyKeys.count == 1 else { throw .invalidIdempotencyKey("There is more than one.") }
        self.init(try Self.parse(value), keep: route.keep)
    }

    private static let safeMethods: Set<String> = ["GET", "HEAD", "OPTIONS", "PROPFIND", "REPORT", "SEARCH"]

    /// A string of RFC 9651 §3.3.3, or the same without its quotes, as most clients send it. `"a"` and `a` are one key.
    static func parse(_ value: String) throws(Problem) -> String {
        let key = value.utf8.first == UInt8(ascii: "\"") ? try quoted(value) : value
        let isBare = key == value
        guard !key.isEmpty else { throw .invalidIdempotencyKey("It is empty.") }
        guard key.utf8.count <= longest else {
            throw .invalidIdempotencyKey("It has \(key.utf8.count) characters; the most is \(longest).")
        }
        guard key.utf8.allSatisfy({ isBare ? $0.isBareKeyCharacter : (0x20...0x7E).contains($0) }) else {
            throw .invalidIdempotencyKey(
                isBare
                    ? "Without quotes it has visible ASCII characters, none of them a quote, a backslash, ',' or ';'."
                    : "It has characters other than printable ASCII.")
        }
        return key
    }

    private static func quoted(_ value: String) throws(Problem) -> String {
        var key: [UInt8] = []
        var rest = value.utf8.dropFirst()
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "\""):
                // Parameters that nobody knows are ignored (RFC 9651 §3.1.2).
                guard rest.isEmpty || rest.first == UInt8(ascii: ";") else {
                    throw .invalidIdempotencyKey("Something follows its closing quote.")
                }
                return String(decoding: key, as: UTF8.self)
            case UInt8(ascii: "\\"):
                guard let escaped = rest.popFirst(), escaped == UInt8(ascii: "\"") || escaped == UInt8(ascii: "\\")
                else { throw .invalidIdempotencyKey("A backslash stands before a quote or a backslash.") }
                key.append(escaped)
            default: key.append(byte)
            }
        }
        throw .invalidIdempotencyKey("Its closing quote is missing.")
    }
}

extension UInt8 {
    /// Of a key without quotes: what cannot be taken for the syntax of a field.
    fileprivate var isBareKeyCharacter: Bool {
        (0x21...0x7E).contains(self) && !#"",;\"#.utf8.contains(self)
    }
}

extension Problem {
    fileprivate static let idempotencyKeyMissing = Problem(
        status: 400, code: "idempotency-key-missing", title: "The request needs an Idempotency-Key",
        detail: """
            Send a header field such as Idempotency-Key: "8e03978e-40d5-43e8-bc93-6894a57f9324": a fresh one for each \
            request, the same one for its repeats.
            """)

    fileprivate static func invalidIdempotencyKey(_ detail: String) -> Problem {
        Problem(
            status: 400, code: "idempotency-key-invalid", title: "The Idempotency-Key is not valid",
            detail: "\(detail) Send one string of 1 to \(IdempotencyKey.longest) characters, such as a UUID in quotes.")
    }
}
