import Events
import FoundationEssentials
import Logging

extension LogLine {
    /// One JSON object without a line break, keys always in this order:
    /// `time`, `level`, `source`, `function`, `worker`, `invocation`, `message`, `metadata`.
    package var json: String {
        var text = "{\"time\":\"\(time)\",\"level\":\"\(level.rawValue)\",\"source\":\"\(source.rawValue)\""
        if let function { text += ",\"function\":" + Problem.quoted(function) }
        if let worker { text += ",\"worker\":\(worker)" }
        if let invocation { text += ",\"invocation\":" + Problem.quoted(invocation) }
        text += ",\"message\":" + Problem.quoted(message)
        if !metadata.isEmpty {
            let fields = metadata.map { Problem.quoted($0.name) + ":" + Problem.quoted($0.value) }
            text += ",\"metadata\":{" + fields.joined(separator: ",") + "}"
        }
        return text + "}"
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
