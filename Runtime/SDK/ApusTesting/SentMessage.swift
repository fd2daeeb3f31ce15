import Wire

/// A message that a call has sent.
public struct SentMessage: Sendable, Hashable {
    /// The function or topic.
    public var target: String
    /// What was sent.
    public var data: [UInt8]
    /// The CloudEvents attributes that the handler gave, its content type as `datacontenttype` among them.
    public var attributes: [String: String]
    /// How long it waits before it is delivered.
    public var delay: Duration

    init(_ message: WireMessage) {
        target = message.target
        data = message.data
        attributes = [:]
        for field in message.attributes { attributes[field.name] = field.value }
        delay = .milliseconds(Int64(clamping: message.after))
    }

    /// The data as text.
    public var text: String { String(decoding: data, as: UTF8.self) }
}

extension TestHost {
    /// Delivers a message. Throws `CallFailed` where the host would retry.
    ///
    /// - Parameters:
    ///   - target: the topic, or the function's name.
    ///   - attributes: what the sender has given besides, such as `subject`.
    public func deliver(
        _ data: [UInt8], to target: String, contentType: String = "application/octet-stream",
        attributes: [String: String] = [:], attempt: Int = 1
    ) async throws {
        let standard = [
            "specversion": "1.0", "id": "message-1", "source": "/functions/sender", "type": target,
            "time": "2026-01-01T00:00:00.000Z", "datacontenttype": contentType, "apustarget": target,
            "apusdepth": "1",
        ]
        let fields = standard.merging(attributes) { _, given in given }.sorted { $0.key < $1.key }
        let message = event(.topic, attempt: attempt, fields.map { WireField($0.key, $0.value) })
        _ = try await call(message, body: [data])
    }

    /// Delivers a message of text.
    public func deliver(
        _ text: String, to target: String, contentType: String = "text/plain; charset=utf-8",
        attributes: [String: String] = [:], attempt: Int = 1
    ) async throws {
        try await deliver(
            [UInt8](text.utf8), to: target, contentType: contentType, attributes: attributes, attempt: attempt)
    }
}

extension TestHost {
    /// Delivers a committed change of a key. Throws `CallFailed` where the host would retry.
    ///
    /// - Parameters:
    ///   - value: what the key was given; `nil` for one that was deleted.
    ///   - namespace: where the key is. What is there is not the state of this host: see `write`.
    ///   - version: of the commit.
    ///   - previous: the version that the key had before; `nil` for a key that was not there.
    public func deliverChange(
        of key: String, to value: String?, in namespace: String = "test", version: Int = 1, previous: Int? = nil,
        attempt: Int = 1
    ) async throws {
        var attributes = [
            WireField("id", "\(key)@\(version)"), WireField("source", "/state/\(namespace)"),
            WireField("type", value == nil ? "apus.state.deleted" : "apus.state.set"),
            WireField("time", "2026-01-01T00:00:00.000Z"), WireField("subject", key),
            WireField("version", String(version)), WireField("apusdepth", "1"),
        ]
        if let previous { attributes.append(WireField("previous", String(previous))) }
        let body = value.map { [[UInt8]($0.utf8)] } ?? []
        _ = try await call(event(.state, attempt: attempt, attributes), body: body)
    }
}
