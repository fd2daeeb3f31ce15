import Events
import Foundation
import Hosting
import Telemetry

/// What can differ between two answers, by name: the outcome, the status, each header field, each leaf of a JSON body or
/// each line of another, each key of the state, the attributes and the data of each message.
struct LeakParts: Equatable {
    /// Differ by nature.
    private static let passing: Set<String> = ["date", "age", "expires", "last-modified", "traceparent"]
    private static let longest = 200

    private(set) var values: [String: String] = [:]

    init(_ answer: LeakCheck.Answer) {
        values["outcome"] = answer.outcome.rawValue
        values["reason"] = answer.reason
        if let head = answer.head {
            values["status"] = "\(head.status)"
            for field in head.headers where !Self.passing.contains(field.name.lowercased()) {
                let name = "header " + field.name.lowercased()
                values[name] = values[name].map { $0 + ", " + field.value } ?? field.value
            }
        }
        add(answer.body, as: "body")
        for entry in answer.state { values["state " + entry.key] = Self.shown(entry.value) }
        var counts: [String: Int] = [:]
        for message in answer.messages {
            counts[message.function, default: 0] += 1
            let name = "message \(counts[message.function, default: 0]) to \(message.function)"
            for attribute in message.attributes { values["\(name): \(attribute.name)"] = attribute.value }
            add(message.data, as: "\(name): data")
        }
    }

    private mutating func add(_ bytes: [UInt8], as name: String) {
        guard !bytes.isEmpty else { return }
        if let json = try? JSONSerialization.jsonObject(with: Data(bytes)) {
            return addLeaves(of: json, at: name + " $")
        }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            values[name] = Self.shown(bytes)
            return
        }
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        for (index, line) in lines.enumerated() {
            values[lines.count == 1 ? name : "\(name) line \(index + 1)"] = String(line)
        }
    }

    private mutating func addLeaves(of json: Any, at path: String) {
        switch json {
        case let object as [String: Any] where !object.isEmpty:
            for (key, value) in object { addLeaves(of: value, at: "\(path).\(key)") }
        case let array as [Any] where !array.isEmpty:
            for (index, value) in array.enumerated() { addLeaves(of: value, at: "\(path)[\(index)]") }
        case is NSNull: values[path] = "null"
        default: values[path] = "\(json)"
        }
    }

    /// Text, or what tells bytes from others.
    private static func shown(_ bytes: [UInt8]) -> String {
        if let text = String(validating: bytes, as: UTF8.self) { return text }
        return Data(bytes).base64EncodedString()
    }

    /// A value for people, who are told when something is not there at all.
    static func shown(_ value: String?) -> String {
        guard let value else { return "(none)" }
        let text = value.printable()
        return text.count > longest ? text.prefix(longest) + "…" : text
    }
}
