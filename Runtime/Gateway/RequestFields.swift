package import Events

/// The header fields of a request: those that frame it, taken apart in one pass, and those that the function gets.
package struct RequestFields: Sendable {
    package enum Expectation: Sendable {
        case none, `continue`, unknown
    }

    /// Without the fields that concern the connection alone (RFC 9110 §7.6.1).
    package private(set) var forwarded: [HeaderField] = []
    package private(set) var contentLength: Int64?
    package private(set) var expectation = Expectation.none
    /// There is a Transfer-Encoding, even if it says nothing.
    package private(set) var isChunked = false
    /// The client takes trailers (RFC 9110 §10.1.4).
    package private(set) var acceptsTrailers = false
    /// `nil` where nothing is said of it, as in most requests.
    private(set) var deferral: DeferralFields?
    /// What `Connection` says of it.
    private var says: (close: Bool, keepAlive: Bool) = (false, false)
    /// Those whose values the gateway looks at, and that few requests have.
    private var rare: [(kind: Special, field: HeaderField)] = []
    private var hosts = 0
    private var validHost = true
    private var validLength = true

    package init() {}

    /// The next field, in the order of the request.
    package mutating func add(_ name: String, _ value: String) {
        name.withRawUTF8 { name in
            value.withRawUTF8 { value in add(FieldLine(name: name, value: value)) }
        }
    }

    mutating func add(_ line: FieldLine) {
        let kind = Special(line.name)
        switch kind {
        case .none: forwarded.append(line.field)
        case .host:
            hosts += 1
            // It may be empty.
            validHost = validHost && line.value.isHost
            forwarded.append(line.field)
        case .contentLength:
            validLength = validLength && contentLength == nil && line.value.allSatisfy(\.isDigit)
            contentLength = Int64(line.text)
            validLength = validLength && contentLength != nil
            forwarded.append(line.field)
        case .transferEncoding:
            isChunked = true
            rare.append((kind, line.field))
        case .expect: expectation = line.value.equals(lowercased: "100-continue") ? .continue : .unknown
        case .connection: addConnection(line)
        case .upgrade: rare.append((kind, line.field))
        case .te: acceptsTrailers = acceptsTrailers || Self.list(line.text).contains("trailers")
        case .idempotencyKey, .prefer, .delay:
            rare.append((kind, line.field))
            forwarded.append(line.field)
        case .hopByHop: break
        }
    }

    private mutating func addConnection(_ line: FieldLine) {
        // What nearly all say, without looking for more.
        if line.value.equals(lowercased: "keep-alive") {
            says.keepAlive = true
        } else if line.value.equals(lowercased: "close") {
            says.close = true
        } else {
            let words = Self.list(line.text)
            says.close = says.close || words.contains("close")
            says.keepAlive = says.keepAlive || words.contains("keep-alive")
            rare.append((.connection, line.field))
        }
    }

    /// All fields have been added.
    package mutating func finish() {
        guard !rare.isEmpty else { return }
        dropNamedByConnection()
        if rare.contains(where: { $0.kind == .prefer || $0.kind == .delay }) { deferral = DeferralFields(self) }
    }

    private mutating func dropNamedByConnection() {
        // Rarely names any; names and fields may both be many: one look at each.
        let names = words(of: .connection).filter { $0 != "close" && $0 != "keep-alive" }
        guard !names.isEmpty else { return }
        let dropped = Set(names)
        forwarded.removeAll { dropped.contains($0.name.lowercased()) }
    }

    private func fields(_ kind: Special) -> [HeaderField] { rare.compactMap { $0.kind == kind ? $0.field : nil } }

    private func values(_ kind: Special) -> [String] { rare.compactMap { $0.kind == kind ? $0.field.value : nil } }

    /// What the lists in fields of one kind name.
    private func words(of kind: Special) -> [String] { values(kind).flatMap { Self.list($0) } }

    /// Each value of `Idempotency-Key`; there should be at most one.
    package var idempotencyKeys: [String] { values(.idempotencyKey) }

    /// Each value of `Prefer`.
    package var preferences: [String] { values(.prefer) }

    /// `Apus-After` and `Apus-At`; there should be at most one.
    package var delays: [HeaderField] { fields(.delay) }

    /// Whether the client wants to send another request on the connection (RFC 9112 §9.3).
    package func keepsAlive(isOld: Bool) -> Bool { says.close ? false : !isOld || says.keepAlive }

    /// Whether the client offers to go on with WebSocket (RFC 9110 §7.8, RFC 6455 §4.1). Other protocols are not passed
    /// on: by h2c, requests could go past the gateway.
    var offersWebSocket: Bool {
        words(of: .upgrade) == ["websocket"] && words(of: .connection).contains("upgrade")
    }

    /// What a function that is a server itself is told of the client's connection, to do the same on its own.
    func forServer(_ body: BodyPlan) -> [HeaderField] {
        (acceptsTrailers ? [HeaderField("TE", "trailers")] : [])
            + (body == .upgrade ? [HeaderField("Upgrade", "websocket")] : [])
    }

    package var expectsContinue: Bool { expectation == .continue && (isChunked || (contentLength ?? 0) > 0) }

    /// Where the end of this request could be read in more than one way, or by rules that we do not have
    /// (RFC 9112 §3.2, §6.1, §6.3): the seams where requests are smuggled.
    func framingProblem(isOld: Bool) -> Problem? {
        if isChunked {
            if contentLength != nil { return .malformed("It has both Transfer-Encoding and Content-Length.") }
            if isOld { return .malformed("HTTP/1.0 has no Transfer-Encoding.") }
            let transferCodings = words(of: .transferEncoding)
            if transferCodings.dropLast().contains("chunked") {
                return .malformed("'chunked' is not its last transfer coding, or not once.")
            }
            if transferCodings != ["chunked"] { return .notImplemented("The only transfer coding is 'chunked'.") }
        }
        if !validLength { return .malformed("Its Content-Length is not one number.") }
        if hosts > 1 { return .malformed("It has more than one Host.") }
        if hosts == 0, !isOld { return .malformed("It has no Host.") }
        return validHost ? nil : .malformed("Its Host is not a name and a port.")
    }

    func bodyPlan(limit: Int64, collected: Int) -> BodyPlan {
        if isChunked { return .stream(limit: limit) }
        guard let length = contentLength, length > 0 else { return .none }
        return length <= collected ? .collect(limit: limit) : .stream(limit: limit)
    }

    /// The plan for a body that is needed whole before the call, however long it is.
    func wholeBodyPlan(limit: Int64) -> BodyPlan {
        isChunked || (contentLength ?? 0) > 0 ? .collect(limit: limit) : .none
    }

    /// Whether a field frames or routes a request, so that it may not come behind it (RFC 9110 §6.5.1).
    static func isSpecial(_ field: FieldLine) -> Bool { Special(field.name) != .none }

    /// The words of a list, lowercased (RFC 9110 §5.6.1).
    private static func list(_ value: String) -> [String] {
        value.utf8.split(separator: UInt8(ascii: ",")).compactMap { word in
            let trimmed = word.drop(while: \.isBlank).reversed().drop(while: \.isBlank).reversed()
            return trimmed.isEmpty ? nil : String(decoding: trimmed, as: UTF8.self).lowercased()
        }
    }
}

/// The fields that mean something to the gateway.
private enum Special {
    case none, host, contentLength, transferEncoding, expect, connection, upgrade, te, idempotencyKey, prefer, delay
    case hopByHop

    /// Looks at the length first, since most names differ by it.
    init(_ name: UnsafeRawBufferPointer) {
        func equals(_ other: StaticString) -> Bool { name.equals(lowercased: other) }
        switch name.count {
        case 2: self = equals("te") ? .te : .none
        case 4: self = equals("host") ? .host : .none
        case 6: self = equals("expect") ? .expect : equals("prefer") ? .prefer : .none
        case 7: self = equals("upgrade") ? .upgrade : equals("apus-at") ? .delay : .none
        case 10:
            self =
                equals("connection")
                ? .connection
                : equals("keep-alive") ? .hopByHop : equals("apus-after") ? .delay : .none
        case 14: self = equals("content-length") ? .contentLength : .none
        case 15: self = equals("idempotency-key") ? .idempotencyKey : .none
        case 16: self = equals("proxy-connection") ? .hopByHop : .none
        case 17: self = equals("transfer-encoding") ? .transferEncoding : .none
        default: self = .none
        }
    }
}
