package import Wire

/// One HTTP request.
public struct HTTPRequest: Sendable {
    /// Such as `GET`.
    public var method: String {
        get { line.method }
        set { line.change { $0.method = newValue } }
    }
    /// The path without the query, percent-encoded as it came.
    public var path: String {
        get { line.path }
        set { line.change { $0.path = newValue } }
    }
    /// What follows `?`, percent-encoded as it came; empty when there is none.
    public var query: String {
        get { line.query }
        set { line.change { $0.query = newValue } }
    }
    /// The client's address, such as `127.0.0.1:51234`.
    public var remoteAddress: String {
        get { line.remoteAddress }
        set { line.change { $0.remoteAddress = newValue } }
    }
    /// The values of the `{parameters}` in the manifest's route, percent-decoded.
    public var parameters: PathParameters
    /// The header fields.
    public var headers: HTTPHeaders
    /// The body, as it arrives.
    public var body: RequestBody

    private var line: RequestLine

    package init(_ request: ReceivedRequest, body: RequestBody) {
        line = .received(request)
        parameters = PathParameters(request.parameters)
        headers = HTTPHeaders(request.headers)
        self.body = body
    }

    /// The fields of the query, decoded as HTML forms encode them (`+` is a space); of a name given twice, the last.
    ///
    /// The work is done at each use: keep the result where you need more than one field.
    public var queryParameters: [String: String] {
        var result: [String: String] = [:]
        for pair in query.utf8.split(separator: UInt8(ascii: "&")) {
            let parts = pair.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
            result[formDecoded(parts[0])] = parts.count > 1 ? formDecoded(parts[1]) : ""
        }
        return result
    }
}

/// What stands before the header, as it came until somebody changes it.
private enum RequestLine {
    struct Changed {
        var method: String
        var path: String
        var query: String
        var remoteAddress: String
    }

    case received(ReceivedRequest)
    indirect case changed(Changed)

    var method: String {
        switch self {
        case .received(let request): request.method
        case .changed(let line): line.method
        }
    }

    var path: String {
        switch self {
        case .received(let request): request.path
        case .changed(let line): line.path
        }
    }

    var query: String {
        switch self {
        case .received(let request): request.query
        case .changed(let line): line.query
        }
    }

    var remoteAddress: String {
        switch self {
        case .received(let request): request.remoteAddress
        case .changed(let line): line.remoteAddress
        }
    }

    mutating func change(_ change: (inout Changed) -> Void) {
        var line = Changed(method: method, path: path, query: query, remoteAddress: remoteAddress)
        change(&line)
        self = .changed(line)
    }
}

/// Undoes the percent-encoding of forms (WHATWG URL §5.1). What is not a valid escape stays as it is.
func formDecoded(_ text: some Collection<UInt8>) -> String {
    var bytes: [UInt8] = []
    var rest = Array(text)[...]
    while let byte = rest.popFirst() {
        if byte == UInt8(ascii: "%"), rest.count >= 2, let high = hexadecimal(rest[rest.startIndex]),
            let low = hexadecimal(rest[rest.startIndex + 1])
        {
            bytes.append(high << 4 | low)
            rest = rest.dropFirst(2)
        } else {
            bytes.append(byte == UInt8(ascii: "+") ? UInt8(ascii: " ") : byte)
        }
    }
    return String(decoding: bytes, as: UTF8.self)
}

private func hexadecimal(_ byte: UInt8) -> UInt8? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
    default: nil
    }
}
