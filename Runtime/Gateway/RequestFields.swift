package import Events
package import NIOHTTP1

/// The header fields of a request: those that frame it, taken apart in one pass, and those that the function gets.
package struct RequestFields: Sendable {
    package enum Expectation: Sendable {
        case none, `continue`, unknown
    }

    /// Without the fields that concern the connection alone (RFC 9110 §7.6.1).
    package private(set) var forwarded: [HeaderField] = []
    package private(set) var contentLength: Int64?
    package private(set) var expectation = Expectation.none
    package private(set) var upgrades = false
    private var transferCodings: [String] = []
    private var hosts = 0
    private var validHost = true
    private var validLength = true

    package init(_ headers: HTTPHeaders) {
        forwarded.reserveCapacity(headers.count)
        var connection = ""
        for (name, value) in headers {
            switch Special(name) {
            case .none: forwarded.append(HeaderField(name, value))
            case .host:
                hosts += 1
                validHost = validHost && Self.isHost(value)
                forwarded.append(HeaderField(name, value))
            case .contentLength:
                validLength = validLength && contentLength == nil && value.utf8.allSatisfy(\.isDigit)
                contentLength = Int64(value)
                validLength = validLength && contentLength != nil
                forwarded.append(HeaderField(name, value))
            case .transferEncoding: transferCodings.append(value)
            case .expect: expectation = value.lowercased() == "100-continue" ? .continue : .unknown
            case .upgrade: upgrades = true
            case .connection: connection += connection.isEmpty ? value : "," + value
            case .hopByHop: continue
            }
        }
        if !connection.isEmpty { dropFields(namedBy: connection) }
    }

    package var isChunked: Bool { !transferCodings.isEmpty }

    package var expectsContinue: Bool { expectation == .continue && (isChunked || (contentLength ?? 0) > 0) }

    /// Where the end of this request could be read in more than one way, or by rules that we do not have
    /// (RFC 9112 §3.2, §6.1, §6.3): the seams where requests are smuggled.
    func framingProblem(isOld: Bool) -> Problem? {
        if isChunked {
            if contentLength != nil { return .malformed("It has both Transfer-Encoding and Content-Length.") }
            if isOld { return .malformed("HTTP/1.0 has no Transfer-Encoding.") }
            if transferCodings.count > 1 || transferCodings[0].lowercased() != "chunked" {
                return .notImplemented("The only transfer coding is 'chunked'.")
            }
        }
        if !validLength { return .malformed("Its Content-Length is not one number.") }
        if hosts > 1 { return .malformed("It has more than one Host.") }
        if hosts == 0, !isOld { return .malformed("It has no Host.") }
        return validHost ? nil : .malformed("Its Host is not a name and a port.")
    }

    func bodyPlan(limit: Int64, collected: Int) -> BodyPlan {
        if isChunked { return .stream(limit: limit) }
        guard let length = contentLength, length > 0 else { return .none }
        return length <= collected ? .collect(Int(length)) : .stream(limit: limit)
    }

    /// Removes what `Connection` names besides its own options; rarely anything. Names and fields may both be many:
    /// one look at each.
    private mutating func dropFields(namedBy connection: String) {
        let names = connection.split(separator: ",")
            .map { $0.filter { $0 != " " && $0 != "\t" }.lowercased() }
            .filter { !$0.isEmpty && $0 != "close" && $0 != "keep-alive" }
        guard !names.isEmpty else { return }
        let dropped = Set(names)
        forwarded.removeAll { dropped.contains($0.name.lowercased()) }
    }

    /// `uri-host [ ":" port ]` by its characters (RFC 3986 §3.2.2); an empty one is allowed.
    private static func isHost(_ value: String) -> Bool {
        value.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"):
                true
            default: "-._~!$&'()*+;=:[]%".utf8.contains(byte)
            }
        }
    }
}

/// The fields that mean something to the gateway.
private enum Special {
    case none, host, contentLength, transferEncoding, expect, upgrade, connection, hopByHop

    /// Looks at the length first, since most names differ by it.
    init(_ name: String) {
        func equals(_ other: StaticString) -> Bool {
            other.withUTF8Buffer { name.utf8.elementsEqual($0) { $0.asciiLowercased == $1 } }
        }
        switch name.utf8.count {
        case 2: self = equals("te") ? .hopByHop : .none
        case 4: self = equals("host") ? .host : .none
        case 6: self = equals("expect") ? .expect : .none
        case 7: self = equals("upgrade") ? .upgrade : equals("trailer") ? .hopByHop : .none
        case 10: self = equals("connection") ? .connection : equals("keep-alive") ? .hopByHop : .none
        case 14: self = equals("content-length") ? .contentLength : .none
        case 16: self = equals("proxy-connection") ? .hopByHop : .none
        case 17: self = equals("transfer-encoding") ? .transferEncoding : .none
        default: self = .none
        }
    }
}

extension UInt8 {
    fileprivate var isDigit: Bool { (0x30...0x39).contains(self) }
}
