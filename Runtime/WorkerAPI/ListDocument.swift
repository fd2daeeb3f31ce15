import Events
import FoundationEssentials

/// The answer to a list. Values that are text are given as such, all others in base64.
struct ListDocument {
    let json: [UInt8]

    /// - Parameter isCut: more keys may follow.
    init(_ entries: [StateEntry], isCut: Bool) {
        json = JSONWriter.line { json in
            json.field("entries", array: { for entry in entries { Self.write(entry, to: &$0) } })
            if isCut, let last = entries.last { json.field("next", last.key) }
        }
    }

    private static func write(_ entry: StateEntry, to json: inout JSONWriter) {
        json.object { json in
            json.field("key", entry.key)
            json.field(
                "value",
                object: { json in
                    if let text = String(validating: entry.value, as: UTF8.self) {
                        json.field("text", text)
                    } else {
                        json.field("base64", Data(entry.value).base64EncodedString())
                    }
                })
        }
    }
}
