import Apus
import ApusJSON
import FoundationEssentials

/// Visitors sign with `POST`; `GET` lists the entries, the newest first, page by page.
@main
struct Guestbook: HTTPFunction {
    struct Entry: Codable {
        var id: String
        var name: String
        var message: String
        var signed: Date
    }

    struct Signature: Decodable {
        var name: String
        var message: String
    }

    struct Page: Encodable {
        var total: Int
        var entries: [Entry]
        /// The path of the next page; `nil` on the last.
        var next: String?
    }

    static let largestBody = 16 << 10
    static let longestName = 80
    static let longestMessage = 2000

    func respond(to request: HTTPRequest, in context: Context) async throws -> HTTPResponse {
        switch (request.method, request.parameters["id"]) {
        case ("POST", nil): try await sign(request, context)
        case ("GET", nil), ("HEAD", nil): try await list(request.queryParameters, context.state)
        case ("GET", let id?), ("HEAD", let id?): try await show(id, context.state)
        default: throw HTTPError(405, "Use GET and POST on /guestbook, GET on its entries.\n")
        }
    }

    private func sign(_ request: HTTPRequest, _ context: Context) async throws -> HTTPResponse {
        let signature = try await request.decode(Signature.self, upTo: Self.largestBody)
        // The invocation's id is unique and sorts by time, and a run after a conflict has the same.
        let entry = Entry(
            id: context.invocation, name: try text(signature.name, "name", atMost: Self.longestName),
            message: try text(signature.message, "message", atMost: Self.longestMessage), signed: .now)
        try await context.state.set(key(entry.id), to: entry)
        // Increments commute: two visitors never conflict.
        try await context.state.increment("total")
        context.log.info("signed", ["name": entry.name])
        var response = try HTTPResponse.json(entry, status: 201)
        response.headers["Location"] = "/guestbook/\(entry.id)"
        return response
    }

    private func text(_ value: String, _ field: String, atMost limit: Int) throws -> String {
        let begin = value.drop(while: \.isWhitespace)
        let text = String(begin.reversed().drop(while: \.isWhitespace).reversed())
        guard !text.isEmpty, text.count <= limit else {
            throw HTTPError(400, "'\(field)' must have 1 to \(limit) characters.\n")
        }
        return text
    }

    private func list(_ query: [String: String], _ state: State) async throws -> HTTPResponse {
        guard let limit = Int(query["limit"] ?? "20"), (1...100).contains(limit) else {
            throw HTTPError(400, "'limit' must be a number from 1 to 100.\n")
        }
        // One more than the page shows, to know whether there is a next one.
        let found = try await state.list(prefix: "entry/", after: query["before"].map(key), limit: limit + 1)
        let entries = try found.prefix(limit).map { try $0.decode(Entry.self) }
        let next = found.count > limit ? "/guestbook?limit=\(limit)&before=\(entries[limit - 1].id)" : nil
        let total = try await state.get("total", as: Int.self) ?? 0
        return try .json(Page(total: total, entries: entries, next: next))
    }

    private func show(_ id: String, _ state: State) async throws -> HTTPResponse {
        guard let entry = try await state.get(key(id), as: Entry.self) else {
            throw HTTPError(404, "There is no such entry.\n")
        }
        return try .json(entry)
    }

    /// Lists are in the order of keys: with each hexadecimal digit taken from `f`, the newest id comes first.
    private func key(_ id: String) -> String {
        "entry/"
            + String(id.map { digit in digit.hexDigitValue.map { Character(String(15 - $0, radix: 16)) } ?? digit })
    }
}
