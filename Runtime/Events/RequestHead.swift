/// One header line. Names are compared without case (RFC 9110 §5.1) and kept as they came.
package struct HeaderField: Sendable, Hashable {
    package var name: String
    package var value: String

    package init(_ name: String, _ value: String) {
        self.name = name
        self.value = value
    }
}

extension [HeaderField] {
    /// The first value of the field `name`, compared without case.
    package func first(_ name: String) -> String? {
        first { $0.isNamed(name) }?.value
    }
}

extension HeaderField {
    /// Whether its name is `name`, compared without case.
    package func isNamed(_ name: String) -> Bool {
        // Most names differ by their length.
        self.name.utf8.count == name.utf8.count
            && self.name.utf8.elementsEqual(name.utf8) { $0.asciiLowercased == $1.asciiLowercased }
    }

    /// A token, and a value without control characters (RFC 9110 §5.1, §5.5).
    package var isSendable: Bool {
        name.isToken && value.utf8.allSatisfy(\.isFieldCharacter)
    }
}

extension String {
    /// Whether this is a token, as methods and names of fields are (RFC 9110 §5.6.2).
    package var isToken: Bool { !isEmpty && utf8.allSatisfy(\.isTokenCharacter) }
}

extension UInt8 {
    /// Of a field's value (RFC 9110 §5.5): no control characters but HTAB.
    package var isFieldCharacter: Bool { self >= 0x20 && self != 0x7F || self == 0x09 }

    /// Of a token (RFC 9110 §5.6.2).
    package var isTokenCharacter: Bool {
        switch self {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: "!#$%&'*+-.^_`|~".utf8.contains(self)
        }
    }
}

extension UInt8 {
    package var asciiLowercased: UInt8 { (0x41...0x5A).contains(self) ? self | 0x20 : self }
}

/// What an HTTP request says before its body.
///
/// A class for the same reason as `Invocation`.
package final class RequestHead: Sendable {
    package let method: String
    /// The path without the query, percent-encoded as it came.
    package let path: String
    /// What follows `?`, percent-encoded as it came; empty when there is none.
    package let query: String
    /// Values of the route's `{parameters}`, percent-decoded.
    package let parameters: [HeaderField]
    package let headers: [HeaderField]
    /// The client's address, such as `127.0.0.1:51234`.
    package let remoteAddress: String
    /// By what its repeats are known; `nil` when each runs by itself.
    package let idempotency: IdempotencyKey?

    package init(
        method: String, path: String, query: String = "", parameters: [HeaderField] = [],
        headers: [HeaderField] = [], remoteAddress: String = "", idempotency: IdempotencyKey? = nil
    ) {
        self.method = method
        self.path = path
        self.query = query
        self.parameters = parameters
        self.headers = headers
        self.remoteAddress = remoteAddress
        self.idempotency = idempotency
    }
}

/// By what a client lets repeats of a request be known, so that it runs once
/// (https://datatracker.ietf.org/doc/html/draft-ietf-httpapi-idempotency-key-header).
package struct IdempotencyKey: Sendable, Hashable {
    /// Unique within the function.
    package var key: String
    /// How long the response answers repeats.
    package var keep: Duration

    package init(_ key: String, keep: Duration) {
        self.key = key
        self.keep = keep
    }
}

extension RequestHead: Hashable {
    package static func == (left: RequestHead, right: RequestHead) -> Bool {
        (left.method, left.path, left.query, left.remoteAddress)
            == (right.method, right.path, right.query, right.remoteAddress)
            && left.parameters == right.parameters && left.headers == right.headers
    }

    package func hash(into hasher: inout Hasher) {
        hasher.combine(method)
        hasher.combine(path)
        hasher.combine(query)
        hasher.combine(parameters)
        hasher.combine(headers)
        hasher.combine(remoteAddress)
    }
}

/// What an HTTP response says before its body.
package struct ResponseHead: Sendable, Hashable {
    /// 200...599.
    package var status: Int
    package var headers: [HeaderField]

    package init(status: Int, headers: [HeaderField] = []) {
        self.status = status
        self.headers = headers
    }
}
