import Events

/// An event as an HTTP request in binary mode
/// (https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md): the data is the body,
/// its type is `Content-Type`, and every other attribute is a field of its own.
struct CloudEventHTTP {
    let fields: [HeaderField]
    let body: [UInt8]

    init(_ event: Event) {
        var fields: [HeaderField] = []
        for attribute in event.attributes where attribute.name != "datacontenttype" {
            fields.append(HeaderField("ce-" + attribute.name, Self.encoded(attribute.value)))
        }
        if let type = event.dataContentType { fields.append(HeaderField("Content-Type", type)) }
        self.fields = fields
        body = event.data
    }

    /// §3.1.3.2: space, quote, percent and all that is not printable ASCII are percent-encoded, as UTF-8.
    static func encoded(_ value: String) -> String {
        let digits = Array("0123456789ABCDEF".utf8)
        var text: [UInt8] = []
        text.reserveCapacity(value.utf8.count)
        for byte in value.utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "%"), 0...0x20, 0x7F...:
                text += [
                    UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)],
                ]
            default: text.append(byte)
            }
        }
        return String(decoding: text, as: UTF8.self)
    }
}
