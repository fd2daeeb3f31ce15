package import Events

/// An event as one JSON object, in the structured mode of CloudEvents
/// (https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md).
package enum CloudEventJSON {
    /// The object, and the end of its line.
    package static func line(_ event: Event) -> [UInt8] { JSONWriter.line { write(event, to: &$0) } }

    /// Writes the members of the object.
    static func write(_ event: Event, to json: inout JSONWriter) {
        for attribute in event.attributes { json.field(text: attribute.name, attribute.value) }
        if !event.data.isEmpty { writeData(of: event, to: &json) }
    }

    private static func writeData(of event: Event, to json: inout JSONWriter) {
        let type = event.dataContentType?.lowercased() ?? "application/json"
        let isJSON = type.hasPrefix("application/json") || type.contains("+json")
        // What only says that it is JSON must not break the object around it.
        guard let text = String(validating: event.data, as: UTF8.self), !isJSON || JSONText.isValid(event.data) else {
            return json.field("data_base64", base64(event.data))
        }
        json.name("data")
        if isJSON { json.verbatim(event.data) } else { json.string(text) }
    }

    /// RFC 4648 §4.
    package static func base64(_ bytes: [UInt8]) -> String {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
        var text: [UInt8] = []
        text.reserveCapacity((bytes.count + 2) / 3 * 4)
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let group = bytes[start..<min(start + 3, bytes.count)]
            let bits = group.reduce(0) { $0 << 8 | UInt32($1) } << (8 * UInt32(3 - group.count))
            for position in 0..<4 {
                let digit = alphabet[Int(bits >> UInt32(18 - 6 * position) & 63)]
                text.append(position <= group.count ? digit : UInt8(ascii: "="))
            }
        }
        return String(decoding: text, as: UTF8.self)
    }
}
