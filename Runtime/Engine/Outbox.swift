package import Events
package import Storage

/// Makes queued events of what one run of an invocation sends. Pure, but for the fresh ids of the invocations.
package struct Outbox: Sendable {
    /// The extension attribute that names the function or topic to which it was sent.
    static let targetAttribute = "apustarget"
    package static let maximumData = 1 << 20
    /// Bytes of the attributes that a sender gives.
    static let maximumAttributes = 16 << 10

    private let id: InvocationID
    private let function: String
    /// How many events led to this invocation.
    private let depth: Int
    /// Of this invocation's effects; those that commit on the spot are not counted.
    private var count = 0

    package init(_ invocation: Invocation) {
        id = invocation.id
        function = invocation.function
        depth = invocation.depth
    }

    private var source: String { "/functions/\(function)" }

    /// One event for each function that wants it; none when the filters of all who listen leave it out.
    ///
    /// - Parameter isImmediate: it commits apart from the invocation, and so again with each further attempt. The ids of
    ///   others follow from the invocation's, so that each has the same in every run.
    package mutating func events(
        for message: OutgoingMessage, listeners: Subscriptions.Listeners, isImmediate: Bool, now: WallTime
    ) -> Result<[NewInvocation], StateError> {
        guard !listeners.isEmpty else {
            return .failure(
                StateError(
                    .unknownTarget,
                    "'\(message.target.prefix(200))' is neither a function nor a topic of a function's trigger"))
        }
        do throws(StateError) {
            let event = try event(for: message, isImmediate: isImmediate, now: now)
            let due = now.advanced(by: message.after)
            return .success(
                listeners.receivers(of: event).map {
                    NewInvocation(function: $0.function, kind: .topic, trigger: $0.trigger, event: event, due: due)
                })
        } catch {
            return .failure(error)
        }
    }

    private mutating func event(
        for message: OutgoingMessage, isImmediate: Bool, now: WallTime
    ) throws(StateError) -> Event {
        guard depth < Event.deepestChain else {
            throw StateError(
                .chainTooLong,
                "this invocation is the end of a chain of \(Event.deepestChain) events, each caused by the handler of "
                    + "the one before; functions that call each other in a loop end here")
        }
        guard message.data.count <= Self.maximumData else {
            throw StateError(
                .invalid, "a message of \(message.data.count) bytes; the most is \(Self.maximumData)")
        }
        guard message.after >= .zero, message.after <= Postponement.longest else {
            throw StateError(.invalid, "a message is delivered after 0 seconds to 366 days, not \(message.after)")
        }
        if !isImmediate { count += 1 }
        var event = Event(
            id: isImmediate ? InvocationID().description : "\(id)-\(count)", source: source,
            type: message.target, time: now, dataContentType: message.dataContentType, data: message.data)
        try event.take(message.attributes, from: source)
        if event.dataContentType == nil, !event.data.isEmpty { event.dataContentType = "application/octet-stream" }
        event.extensions[Event.depthAttribute] = String(depth + 1)
        event.extensions[Self.targetAttribute] = message.target
        return event
    }
}

extension Event {
    /// Takes the attributes that a sender has chosen, which must be as CloudEvents wants them
    /// (https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md#context-attributes).
    fileprivate mutating func take(_ attributes: [HeaderField], from own: String) throws(StateError) {
        let size = attributes.reduce(0) { $0 + $1.name.utf8.count + $1.value.utf8.count }
        guard size <= Outbox.maximumAttributes else {
            throw StateError(.invalid, "attributes of \(size) bytes; the most is \(Outbox.maximumAttributes)")
        }
        for attribute in attributes {
            let (name, value) = (attribute.name, attribute.value)
            guard !value.isEmpty, value.unicodeScalars.allSatisfy({ $0.properties.generalCategory != .control }) else {
                throw StateError(.invalid, "the attribute '\(name)' is empty or has control characters")
            }
            switch name {
            case "specversion":
                guard value == "1.0" else {
                    throw StateError(.invalid, "an event of CloudEvents '\(value)'; only 1.0 is known")
                }
            case "id": id = value
            case "source":
                // Who has seen an event of a timer or a file can tell that it is one.
                guard value == own || !(value.hasPrefix("/functions/") || value.hasPrefix(Event.stateSource)) else {
                    throw StateError(.invalid, "the source '\(value)' is not the sender's; it is '\(own)'")
                }
                source = value
            case "type": type = value
            case "subject": subject = value
            case "time":
                guard let moment = WallTime(rfc3339: value) else {
                    throw StateError(.invalid, "the time '\(value)' is not in the form of RFC 3339")
                }
                time = moment
            case "datacontenttype": dataContentType = value
            default: try takeExtension(name, value)
            }
        }
    }

    private mutating func takeExtension(_ name: String, _ value: String) throws(StateError) {
        // What is counted and noted by the host comes with a message that is sent on.
        if name == Event.depthAttribute || name == Outbox.targetAttribute { return }
        guard Event.isAttributeName(name) else {
            throw StateError(
                .invalid, "'\(name.prefix(100))' is no name of an attribute; use 1 to 64 lowercase letters and digits")
        }
        extensions[name] = value
    }
}
