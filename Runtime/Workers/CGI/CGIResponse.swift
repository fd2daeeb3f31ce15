import Events

/// What the header of a CGI response means (RFC 3875 §6.2).
struct CGIResponse {
    let head: ProgramHead

    /// - Parameter fields: none of them with an empty value.
    init(_ fields: [HeaderField]) throws(CallFailure) {
        let status = try Self.single("Status", fields).map(Self.code)
        let location = try Self.single("Location", fields)
        let type = try Self.single("Content-Type", fields)
        guard status != nil || location != nil || type != nil else {
            throw .noCGIResponse("its header has neither Content-Type nor Location nor Status")
        }
        if let location, fields.count == 1, Self.isLocal(location) {
            head = .redirect(location)
            return
        }
        let kept = fields.filter { !$0.isForServer }
        head = .response(
            ResponseHead(status: status ?? (location == nil ? 200 : 302), headers: kept),
            streams: Self.streams(type: type, buffering: fields.first("X-Accel-Buffering")))
    }

    /// "Each CGI field MUST NOT appear more than once in the response" (§6.3).
    private static func single(_ name: String, _ fields: [HeaderField]) throws(CallFailure) -> String? {
        let values = fields.filter { $0.isNamed(name) }
        guard values.count <= 1 else { throw .noCGIResponse("it has more than one \(name)") }
        return values.first?.value
    }

    /// Three digits, and perhaps a phrase (§6.3.3).
    private static func code(_ value: String) throws(CallFailure) -> Int {
        let word = value.prefix { $0 != " " }
        guard word.utf8.count == 3, let code = Int(word), (200...599).contains(code) else {
            throw .noCGIResponse("its Status is '\(value.prefix(80))'; expected 200 to 599 and a phrase: 404 Not Found")
        }
        return code
    }

    /// A path and query of this host, for the host to follow. With another field beside it, even a path is for the
    /// client, as many programs mean it: a local redirect would lose a cookie that they set.
    private static func isLocal(_ location: String) -> Bool {
        location.hasPrefix("/") && !location.hasPrefix("//")
            && location.utf8.allSatisfy { (0x21...0x7E).contains($0) && $0 != UInt8(ascii: "#") }
    }

    /// Server-sent events, and what says in nginx's way that it must not be buffered.
    private static func streams(type: String?, buffering: String?) -> Bool {
        type?.lowercased().hasPrefix("text/event-stream") == true || buffering?.lowercased() == "no"
    }
}

extension HeaderField {
    /// `Status`, and the extensions that are for servers which know them (§6.3.5).
    fileprivate var isForServer: Bool { isNamed("Status") || name.lowercased().hasPrefix("x-cgi-") }
}
