import Wire

extension Context {
    /// Sends bytes to a function or to a topic. Whatever the call has sent is delivered once it has succeeded, together
    /// with what it wrote to its state, or not at all.
    ///
    /// Each function with a `topic` trigger of that name gets the message, and the function that is called so. Throws a
    /// `StateError` when there is none, and when messages have led to messages 16 times: a loop ends there.
    ///
    /// - Parameters:
    ///   - data: at most 1 MiB.
    ///   - contentType: the media type of the data.
    ///   - attributes: CloudEvents attributes of the event, such as `subject`; the host gives `id`, `source`, `type` (the
    ///     target) and `time` unless they are here. Names are lowercase letters and digits; all have at most 16 KiB.
    ///   - delay: it is delivered when so much time has passed; at most a year.
    public func send(
        _ data: [UInt8], to target: String, contentType: String = "application/octet-stream",
        attributes: [String: String] = [:], after delay: Duration = .zero
    ) async throws {
        try await state.send(data, to: target, contentType: contentType, attributes: attributes, after: delay)
    }

    /// Sends text to a function or to a topic.
    public func send(
        _ text: String, to target: String, attributes: [String: String] = [:], after delay: Duration = .zero
    ) async throws {
        try await state.send(text, to: target, attributes: attributes, after: delay)
    }
}

extension State {
    /// Sends bytes with what this state writes. That of a context commits with its call, for which `Context.send` is the
    /// same with less to type; that of a block of `immediately` commits on the spot, and again with the next attempt: give
    /// the message an `id` in `attributes` where a second one would do harm.
    public func send(
        _ data: [UInt8], to target: String, contentType: String = "application/octet-stream",
        attributes: [String: String] = [:], after delay: Duration = .zero
    ) async throws {
        var fields = attributes.sorted { $0.key < $1.key }.map { WireField($0.key, $0.value) }
        if attributes["datacontenttype"] == nil { fields.append(WireField("datacontenttype", contentType)) }
        let milliseconds = UInt64(clamping: Int64(delay / .milliseconds(1)))
        let message = WireMessage(target: target, after: milliseconds, attributes: fields, data: data)
        try check(message)
        try await send(message)
    }

    /// The host has these bounds as well; but a message past that of a frame would cost all calls of the worker.
    private func check(_ message: WireMessage) throws {
        guard message.data.count <= Self.maximumValue else {
            throw StateError(.invalid, "a message of \(message.data.count) bytes; the most is 1 MiB")
        }
        let size = message.attributes.reduce(0) { $0 + $1.name.utf8.count + $1.value.utf8.count }
        guard size <= Self.maximumAttributes else {
            throw StateError(.invalid, "attributes of \(size) bytes; the most is \(Self.maximumAttributes)")
        }
        guard message.target.utf8.count <= Self.maximumKey else {
            throw StateError(.invalid, "a target of \(message.target.utf8.count) bytes; the most is \(Self.maximumKey)")
        }
    }

    /// Sends text with what this state writes.
    public func send(
        _ text: String, to target: String, attributes: [String: String] = [:], after delay: Duration = .zero
    ) async throws {
        try await send(
            [UInt8](text.utf8), to: target, contentType: "text/plain; charset=utf-8", attributes: attributes,
            after: delay)
    }
}
