import Apus
import ApusTesting
import Foundation
import Testing

@testable import Guestbook

@Suite("Guestbook")
struct GuestbookTests {
    private struct Page: Decodable {
        struct Entry: Decodable {
            var id: String
            var name: String
        }
        var total: Int
        var entries: [Entry]
        var next: String?
    }

    private func page(_ host: TestHost, _ target: String) async throws -> Page {
        try JSONDecoder().decode(Page.self, from: Data(try await host.get(target).body))
    }

    @Test("keeps what was signed")
    func signs() async throws {
        let host = TestHost(Guestbook())
        let response = try await host.post("/guestbook", body: #"{"name": " Ada ", "message": "Hello!"}"#)
        #expect(response.status == 201)
        let location = try #require(response.headers["location"])
        let id = String(location.dropFirst("/guestbook/".count))
        let entry = try await host.get(location, parameters: ["id": id])
        #expect(entry.text == response.text)
        #expect(entry.text.contains(#""name":"Ada""#))
        #expect(host.state["total"] == "1")
    }

    @Test("lists the newest first, page by page")
    func pages() async throws {
        let host = TestHost(Guestbook())
        for number in 1...5 { _ = try await host.post("/guestbook", body: #"{"name": "\#(number)", "message": "m"}"#) }
        let first = try await page(host, "/guestbook?limit=2")
        #expect(first.total == 5)
        #expect(first.entries.map(\.name) == ["5", "4"])
        let second = try await page(host, try #require(first.next))
        #expect(second.entries.map(\.name) == ["3", "2"])
        let third = try await page(host, try #require(second.next))
        #expect(third.entries.map(\.name) == ["1"])
        #expect(third.next == nil)
    }

    @Test(
        "refuses what it cannot keep",
        arguments: [
            ("no json", 400, "The body does not fit: it is not valid JSON.\n"),
            (#"{"name": "Ada"}"#, 400, "The body does not fit: 'message' is missing.\n"),
            (#"{"name": 1, "message": "m"}"#, 400, "The body does not fit: 'name' is not of the type String.\n"),
            (#"{"name": " ", "message": "m"}"#, 400, "'name' must have 1 to 80 characters.\n"),
            (String(repeating: " ", count: 17_000), 413, "The body is longer than 16384 bytes.\n"),
        ])
    func refuses(_ body: String, _ status: Int, _ message: String) async throws {
        let host = TestHost(Guestbook())
        let response = try await host.post("/guestbook", body: body)
        #expect(response.status == status)
        #expect(response.text == message)
        #expect(host.effects.isEmpty)
    }

    @Test("answers 404 and 400 for what is not there")
    func missing() async throws {
        let host = TestHost(Guestbook())
        #expect(try await host.get("/guestbook/x", parameters: ["id": "x"]).status == 404)
        #expect(try await host.get("/guestbook?limit=0").status == 400)
    }

    @Test("does not conflict with another visitor")
    func commutes() async throws {
        let host = TestHost(Guestbook(), state: ["total": "1"])
        host.beforeNextCommit { $0.write("total", "7") }
        _ = try await host.post("/guestbook", body: #"{"name": "Ada", "message": "m"}"#)
        #expect(host.runs == 1)
        #expect(host.state["total"] == "8")
    }
}
