/// What can call a function.
package enum TriggerKind: String, Sendable, Hashable, CaseIterable, Codable {
    case http, timer, file, topic, state
}

/// One thing that happened, as CloudEvents 1.0 attributes and data
/// (https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md).
///
/// HTTP requests reach their handler as requests, not as events; everything else is one of these.
package struct Event: Sendable, Hashable {
    /// Unique together with `source`.
    package var id: String
    /// URI reference of where it happened, such as `/timers/digest/0`.
    package var source: String
    /// Such as `apus.timer.due` or `apus.file.created`.
    package var type: String
    /// What the event is about within its source, such as a file's path.
    package var subject: String?
    package var time: WallTime
    package var dataContentType: String?
    /// Extension attributes; names are lowercase letters and digits.
    package var extensions: [String: String]
    package var data: [UInt8]

    package init(
        id: String, source: String, type: String, subject: String? = nil, time: WallTime,
        dataContentType: String? = nil, extensions: [String: String] = [:], data: [UInt8] = []
    ) {
        self.id = id
        self.source = source
        self.type = type
        self.subject = subject
        self.time = time
        self.dataContentType = dataContentType
        self.extensions = extensions
        self.data = data
    }

    /// All attributes by their CloudEvents names, extensions among them, in a stable order.
    package var attributes: [HeaderField] {
        var all = [
            HeaderField("specversion", "1.0"), HeaderField("id", id), HeaderField("source", source),
            HeaderField("type", type), HeaderField("time", time.description),
        ]
        if let subject { all.append(HeaderField("subject", subject)) }
        if let dataContentType { all.append(HeaderField("datacontenttype", dataContentType)) }
        for (name, value) in extensions.sorted(by: { $0.key < $1.key }) { all.append(HeaderField(name, value)) }
        return all
    }
}

extension Event {
    /// An event that was caused by the handler of an event, and so on, so often, causes no further one: a loop must come
    /// to an end.
    package static let deepestChain = 16
    /// The extension attribute that counts.
    package static let depthAttribute = "apusdepth"

    /// What committed changes of state have as their type …
    package static let stateSet = "apus.state.set"
    package static let stateDeleted = "apus.state.deleted"
    /// … and as their source, with the namespace behind it.
    package static let stateSource = "/state/"
}
