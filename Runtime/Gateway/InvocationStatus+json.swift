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
    var json: [UInt8] {
        JSONWriter.line { json in
            json.field("id", id)
            json.field("state", state)
            json.field("attempts", attempts)
            json.field("priority", urgency)
            json.field("enqueued", enqueued)
            json.field("due", due)
            if let ended { json.field("ended", ended) }
            if let outcome { json.field("outcome", outcome.rawValue) }
            if let result { json.field("result", object: { write(result, to: &$0) }) }
        }
    }

    private func write(_ result: Result, to json: inout JSONWriter) {
        json.field("status", result.head.status)
        json.field("location", StatusRequest.path(of: id) + "/result")
        json.field("expires", result.expires)
        json.field("bytes", result.body.count)
        if let type = result.head.headers.first("Content-Type") { json.field("contentType", type) }
        if result.isCut { json.field("cut", true) }
        if result.body.count <= Self.shown, let text = String(validating: result.body, as: UTF8.self) {
            json.field("text", text)
        }
    }
}
