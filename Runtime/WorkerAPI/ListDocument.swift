import Events
import FoundationEssentials

/// The answer to a list. Values that are text are given as such, all others in base64.
struct ListDocument {
    let json: String

    /// - Parameter isCut: more keys may follow.
    init(_ entries: [StateEntry], isCut: Bool) {
        let items = entries.map { entry in
            "{\"key\":\(Problem.quoted(entry.key)),\"value\":{\(Self.value(entry.value))}}"
        }
        let next = isCut ? entries.last.map { ",\"next\":\(Problem.quoted($0.key))" } : nil
        json = "{\"entries\":[" + items.joined(separator: ",") + "]" + (next ?? "") + "}\n"
    }

    private static func value(_ bytes: [UInt8]) -> String {
        guard let text = String(validating: bytes, as: UTF8.self) else {
            return "\"base64\":\"\(Data(bytes).base64EncodedString())\""
        }
        return "\"text\":\(Problem.quoted(text))"
    }
}
