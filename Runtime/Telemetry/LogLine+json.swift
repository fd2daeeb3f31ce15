import Events
import FoundationEssentials
import Logging

extension LogLine {
    /// One JSON object without a line break, keys always in this order:
    /// `time`, `level`, `source`, `function`, `worker`, `invocation`, `message`, `metadata`.
    package var json: String {
        let bytes = JSONWriter.object { json in
            json.field("time", time)
            json.field("level", level.rawValue)
            json.field("source", source.rawValue)
            if let function { json.field("function", function) }
            if let worker { json.field("worker", Int(worker)) }
            if let invocation { json.field("invocation", invocation) }
            json.field("message", message)
            if !metadata.isEmpty {
                json.field(
                    "metadata", object: { json in for field in metadata { json.field(text: field.name, field.value) } })
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Reads what `json` wrote; `nil` for anything else, such as a line that a crash cut off.
    package init?(json: some Collection<UInt8>) {
        guard let fields = try? JSONDecoder().decode(Fields.self, from: Data(json)),
            let time = WallTime(rfc3339: fields.time), let level = Logger.Level(rawValue: fields.level)
        else { return nil }
        self.init(
            time: time, level: level, function: fields.function, worker: fields.worker, invocation: fields.invocation,
            source: fields.source, message: fields.message,
            metadata: (fields.metadata ?? [:]).sorted { $0.key < $1.key }.map { HeaderField($0.key, $0.value) })
    }

    private struct Fields: Decodable {
        var time: String
        var level: String
        var source: Source
        var function: String?
        var worker: Int32?
        var invocation: String?
        var message: String
        var metadata: [String: String]?
    }
}
