import Engine
import Events

extension InvocationStatus {
    /// A body up to so many bytes stands in the document.
    private static let shown = 64 << 10

    /// When to ask again: once it can have run.
    func secondsToWait(from now: WallTime) -> Int {
        max(1, Int(clamping: (due.since(now).milliseconds + 999) / 1000))
    }

    /// The document of the status resource.
    var json: String {
        var fields = [
            field("id", id.description), field("state", state), "\"attempts\":\(attempts)", "\"priority\":\(urgency)",
            field("enqueued", enqueued.description), field("due", due.description),
        ]
        if let ended { fields.append(field("ended", ended.description)) }
        if let outcome { fields.append(field("outcome", outcome.rawValue)) }
        if let result { fields.append("\"result\":" + document(result)) }
        return "{" + fields.joined(separator: ",") + "}\n"
    }

    private func document(_ result: Result) -> String {
        var fields = [
            "\"status\":\(result.head.status)", field("location", StatusRequest.path(of: id) + "/result"),
            field("expires", result.expires.description), "\"bytes\":\(result.body.count)",
        ]
        if let type = result.head.headers.first("Content-Type") { fields.append(field("contentType", type)) }
        if result.isCut { fields.append("\"cut\":true") }
        if result.body.count <= Self.shown, let text = String(validating: result.body, as: UTF8.self) {
            fields.append(field("text", text))
        }
        return "{" + fields.joined(separator: ",") + "}"
    }

    private func field(_ name: String, _ value: String) -> String { "\"\(name)\":" + Problem.quoted(value) }
}
