package import Wire

/// A timer that was due.
public struct TimerEvent: Sendable {
    /// All CloudEvents attributes of the event, by name.
    public var attributes: [String: String]

    package init(attributes: [WireField]) { self.attributes = [String: String](attributes) }

    /// The event's id, the same in each attempt: one due time of one trigger has one.
    public var id: String { attributes["id"] ?? "" }
    /// When the timer was due, which may be long ago if the host was down; RFC 3339 in UTC.
    public var due: String { attributes["due"] ?? attributes["time"] ?? "" }
}

/// A file that changed.
public struct FileEvent: Sendable {
    /// What happened to a file.
    public enum Change: String, Sendable, CaseIterable {
        /// It appeared and has been quiet for the trigger's `settle`.
        case created
        /// Its content changed.
        case modified
        /// It is gone.
        case deleted
        /// It has a new name; `previousPath` is the old one.
        case moved
    }

    /// All CloudEvents attributes of the event, by name.
    public var attributes: [String: String]
    /// What happened.
    public var change: Change

    package init(attributes: [WireField]) throws {
        self.attributes = [String: String](attributes)
        let type = self.attributes["type"] ?? ""
        guard type.hasPrefix("apus.file."), let change = Change(rawValue: String(type.dropFirst(10))) else {
            throw UnexpectedReply(description: "the host sent a file event of the unknown type '\(type)'")
        }
        self.change = change
    }

    /// The event's id, the same in each attempt.
    public var id: String { attributes["id"] ?? "" }
    /// The absolute path of the file.
    public var path: String { attributes["path"] ?? "" }
    /// The path of the file, relative to the watched folder.
    public var name: String { attributes["name"] ?? attributes["subject"] ?? "" }
    /// The absolute path at which a moved file was before.
    public var previousPath: String? { attributes["oldpath"] }
    /// Where a moved file was before, relative to the watched folder.
    public var previousName: String? { attributes["oldname"] }
    /// Bytes in the file when it was noticed; of a deleted one, when it was last seen.
    public var size: Int? { attributes["size"].flatMap { Int($0) } }
    /// When it happened; RFC 3339 in UTC.
    public var time: String { attributes["time"] ?? "" }
}

/// A message that a function has sent.
public struct MessageEvent: Sendable {
    /// All CloudEvents attributes of the event, by name.
    public var attributes: [String: String]
    /// What was sent.
    public var data: [UInt8]

    package init(attributes: [WireField], data: [UInt8]) {
        self.attributes = [String: String](attributes)
        self.data = data
    }

    /// The event's id, the same in each attempt.
    public var id: String { attributes["id"] ?? "" }
    /// Whose message it is, such as `/functions/orders`.
    public var source: String { attributes["source"] ?? "" }
    /// What happened: the target, unless the sender has said something else.
    public var type: String { attributes["type"] ?? "" }
    /// The topic, or the name of the function, that it was sent to.
    public var target: String { attributes["apustarget"] ?? type }
    /// What it is about, if the sender has said so.
    public var subject: String? { attributes["subject"] }
    /// The media type of the data.
    public var contentType: String? { attributes["datacontenttype"] }
    /// When it was sent; RFC 3339 in UTC.
    public var time: String { attributes["time"] ?? "" }
    /// The data as text; bytes that are not UTF-8 are replaced by U+FFFD.
    public var text: String { String(decoding: data, as: UTF8.self) }
}

/// A committed change of one key of a namespace.
public struct StateEvent: Sendable {
    /// All CloudEvents attributes of the event, by name.
    public var attributes: [String: String]
    /// The value that the key was given; `nil` when it was deleted. The key may have another one by now.
    public var value: [UInt8]?

    package init(attributes: [WireField], data: [UInt8]) throws {
        self.attributes = [String: String](attributes)
        switch self.attributes["type"] {
        case "apus.state.set": value = data
        case "apus.state.deleted": value = nil
        case let type:
            throw UnexpectedReply(description: "the host sent a state event of the unknown type '\(type ?? "")'")
        }
    }

    /// The event's id, the same in each attempt.
    public var id: String { attributes["id"] ?? "" }
    /// The key.
    public var key: String { attributes["subject"] ?? "" }
    /// The namespace that the key is in.
    public var namespace: String { String((attributes["source"] ?? "").dropFirst("/state/".count)) }
    /// The version that the change gave the key: of two changes of a key, the later has the greater one. 0 for what
    /// `apus invoke` has made up.
    public var version: Int { attributes["version"].flatMap { Int($0) } ?? 0 }
    /// The version that the key had before; `nil` for a key that was not there.
    public var previousVersion: Int? { attributes["previous"].flatMap { Int($0) } }
    /// The value as text; bytes that are not UTF-8 are replaced by U+FFFD.
    public var text: String? { value.map { String(decoding: $0, as: UTF8.self) } }
    /// When it was committed; RFC 3339 in UTC.
    public var time: String { attributes["time"] ?? "" }
}

extension [String: String] {
    init(_ fields: [WireField]) {
        self.init(fields.map { ($0.name, $0.value) }, uniquingKeysWith: { _, last in last })
    }
}
