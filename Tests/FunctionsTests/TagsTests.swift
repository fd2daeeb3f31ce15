import Apus
import ApusTesting
import Testing

@testable import Tags

@Suite("Tags")
struct TagsTests {
    private func entry(_ id: String, _ message: String) -> String { #"{"id": "\#(id)", "message": "\#(message)"}"# }

    @Test("are counted over all entries, and lead to them")
    func index() async throws {
        let host = TestHost(Tags())
        try await host.deliverChange(of: "entry/b", to: entry("2", "#Paris, and #london!"), in: "guestbook")
        try await host.deliverChange(of: "entry/a", to: entry("3", "#LONDON #london calling # #"), in: "guestbook")
        #expect(
            try await host.get("/tags").text == #"[{"entries":2,"tag":"london"},{"entries":1,"tag":"paris"}]"# + "\n")
        #expect(try await host.get("/tags/London", parameters: ["tag": "London"]).text == #"["3","2"]"# + "\n")
    }

    @Test("follow an entry that changes, comes again or goes")
    func changes() async throws {
        let host = TestHost(Tags())
        for message in ["#a #b", "#a #b", "#b #c"] {
            try await host.deliverChange(of: "entry/1", to: entry("1", message))
        }
        #expect(try await host.get("/tags").text == #"[{"entries":1,"tag":"b"},{"entries":1,"tag":"c"}]"# + "\n")
        try await host.deliverChange(of: "entry/1", to: nil)
        #expect(try await host.get("/tags").text == "[]" + "\n")
        #expect(host.state.keys.allSatisfy { $0.hasPrefix("count/") })
    }

    @Test("are left out when they are longer than a key may be")
    func long() async throws {
        let host = TestHost(Tags())
        let long = String(repeating: "x", count: 1500)
        try await host.deliverChange(of: "entry/1", to: entry("1", "#\(long) #short"))
        #expect(try await host.get("/tags").text == #"[{"entries":1,"tag":"short"}]"# + "\n")
    }

    @Test("of what is no entry fail for good")
    func junk() async throws {
        let error = await #expect(throws: CallFailed.self) {
            try await TestHost(Tags()).deliverChange(of: "entry/1", to: "junk")
        }
        #expect(error?.reason == .permanently)
    }
}
