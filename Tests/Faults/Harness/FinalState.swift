import FaultChecking
import Foundation
import Support

/// What the host says in the end, read through its admin API.
package struct FinalState {
    package struct Entry: Decodable {
        struct Value: Decodable {
            var text: String?
        }

        package var key: String
        package var version: Int
        private var value: Value

        package var text: String { value.text ?? "" }
        package var number: Int { Int(text) ?? 0 }
    }

    private struct Page: Decodable {
        var entries: [Entry]
        var next: String?
    }

    struct Queue: Decodable {
        var waiting: Int
        var running: Int
    }

    private struct Functions: Decodable {
        struct Function: Decodable { var queue: Queue }
        var functions: [Function]
    }

    private struct Status: Decodable {
        var state: String
        var outcome: String?
    }

    private let client: Client

    init(_ client: Client) { self.client = client }

    /// All keys of a namespace that begin with `prefix`, which is cut off.
    package func entries(_ namespace: String, _ prefix: String) throws -> [Entry] {
        var entries: [Entry] = []
        var after = ""
        while true {
            let page: Page = try get("/v1/state/\(namespace)?limit=1000&prefix=\(prefix)\(after)")
            entries += page.entries
            guard let next = page.next else { break }
            after = "&after=" + (next.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? next)
        }
        return entries.map { entry in
            var entry = entry
            entry.key.removeFirst(prefix.count)
            return entry
        }
    }

    package func numbers(_ namespace: String, _ prefix: String) throws -> [String: Int] {
        Dictionary(try entries(namespace, prefix).map { ($0.key, $0.number) }) { first, _ in first }
    }

    /// Whether no event waits or runs.
    func isQuiet() throws -> Bool {
        let functions: Functions = try get("/v1/functions")
        return functions.functions.allSatisfy { $0.queue.waiting == 0 && $0.queue.running == 0 }
    }

    /// How the queued request ended of which a client was told where to ask; `nil` when nothing is known of it.
    func end(at location: String) throws -> JobEnd? {
        guard case .response(let response) = client.request("GET", location) else {
            throw HostFailure("the host does not answer \(location)")
        }
        guard response.status == 200 else { return nil }
        let status = try JSONDecoder().decode(Status.self, from: Data(response.body))
        return switch (status.state, status.outcome) {
        case ("done", "cancelled"): .cancelled
        case ("done", _): .done
        case ("dead", _): .dead
        default: .open
        }
    }

    private func get<Document: Decodable>(_ path: String) throws -> Document {
        guard case .response(let response) = client.admin("GET", path), response.status == 200 else {
            throw HostFailure("the host does not answer \(path)")
        }
        return try JSONDecoder().decode(Document.self, from: Data(response.body))
    }
}
