import Apus
import ApusJSON

/// Follows the guestbook and keeps an index of the `#tags` in its messages, which `GET` shows.
@main
struct Tags: StateFunction, HTTPFunction {
    /// What the guestbook keeps, as far as it matters here.
    struct Entry: Decodable {
        var id: String
        var message: String
    }

    struct Count: Encodable {
        var tag: String
        var entries: Int
    }

    static let longestTag = 50
    static let mostShown = 1000

    /// What the index knows of an entry is one key, so that a change is taken in whatever was there before.
    func follow(_ change: StateEvent, in context: Context) async throws {
        let entry: Entry? = try change.decode()
        let state = context.state
        let own = "of/" + change.key
        let old = Set(try await state.get(own, as: [String].self) ?? [])
        let new = Set(Self.tags(in: entry?.message ?? ""))
        for tag in old.subtracting(new) {
            try await state.delete("with/\(tag)/\(change.key)")
            try await state.increment("count/" + tag, by: -1)
        }
        for tag in new.subtracting(old) {
            try await state.set("with/\(tag)/\(change.key)", entry?.id ?? "")
            try await state.increment("count/" + tag)
        }
        if new.isEmpty { try await state.delete(own) } else { try await state.set(own, to: new.sorted()) }
    }

    func respond(to request: HTTPRequest, in context: Context) async throws -> HTTPResponse {
        if let tag = request.parameters["tag"] {
            let entries = try await context.state.list(prefix: "with/\(tag.lowercased())/", limit: Self.mostShown)
            return try .json(entries.map { String(decoding: $0.value, as: UTF8.self) })
        }
        let counts = try await context.state.list(prefix: "count/", limit: Self.mostShown).compactMap { entry in
            Int(String(decoding: entry.value, as: UTF8.self)).map {
                Count(tag: String(entry.key.dropFirst("count/".count)), entries: $0)
            }
        }
        return try .json(counts.filter { $0.entries > 0 }.sorted { $0.entries > $1.entries })
    }

    /// In lowercase, without their `#`. What is longer than a tag can be is none.
    private static func tags(in message: String) -> [String] {
        message.split(whereSeparator: \.isWhitespace).compactMap { word in
            guard word.hasPrefix("#") else { return nil }
            let tag = word.dropFirst().prefix { $0.isLetter || $0.isNumber || $0 == "_" || $0 == "-" }.lowercased()
            return tag.isEmpty || tag.count > longestTag ? nil : tag
        }
    }
}
