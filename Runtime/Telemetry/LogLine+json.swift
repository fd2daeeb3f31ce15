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
            let time = WallTime(timestamp: fields.time), let level = Logger.Level(rawValue: fields.level)
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

extension WallTime {
    /// Reads exactly what `description` writes, `2026-11-20T18:00:00.000Z`.
    init?(timestamp text: String) {
        let bytes = Array(text.utf8)
        let marks: [Int: Character] = [4: "-", 7: "-", 10: "T", 13: ":", 16: ":", 19: ".", 23: "Z"]
        guard bytes.count == 24, marks.allSatisfy({ bytes[$0.key] == $0.value.asciiValue }) else { return nil }
        func number(_ range: Range<Int>) -> Int? {
            bytes[range].allSatisfy { (0x30...0x39).contains($0) }
                ? Int(String(decoding: bytes[range], as: UTF8.self)) : nil
        }
        guard let year = number(0..<4), let month = number(5..<7), let day = number(8..<10),
            let hour = number(11..<13), let minute = number(14..<16), let second = number(17..<19),
            let millisecond = number(20..<23), (1...12).contains(month)
        else { return nil }
        let days = CivilDate(year: year, month: month, day: day).daysSinceEpoch
        let seconds = days * 86_400 + hour * 3600 + minute * 60 + second
        self.init(milliseconds: Int64(seconds * 1000 + millisecond))
    }
}
