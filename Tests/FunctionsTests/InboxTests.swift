import Apus
import ApusTesting
import Foundation
import Support
import Testing

@testable import Inbox

@Suite("Inbox")
struct InboxTests {
    private func write(_ text: String, _ path: String) throws {
        try Data(text.utf8).write(to: URL(fileURLWithPath: path))
    }

    @Test("sums up the files that are there, however often it is told")
    func sums() async throws {
        try await withTemporaryFolder { folder in
            let host = TestHost(Inbox())
            try write("item,amount\napple,1.10\npear,2.20\n", "\(folder)/a.csv")
            try write("amount,note\r\n0.70,\"a, \"\"b\"\"\r\nc\"\r\n", "\(folder)/b.csv")
            for _ in 1...2 { try await host.deliver(.created, "a.csv", in: folder) }
            try await host.deliver(.created, "b.csv", in: folder)
            #expect(try await host.get("/inbox").text == #"{"files":2,"rows":3,"sums":{"amount":4}}"# + "\n")
            #expect(try await host.get("/inbox?column=amount").text == "4\n")
            #expect(try await host.get("/inbox?column=item").status == 404)
        }
    }

    @Test("follows changes, renames and deletions")
    func follows() async throws {
        try await withTemporaryFolder { folder in
            let host = TestHost(Inbox())
            try write("n\n1\n", "\(folder)/a.csv")
            try await host.deliver(.created, "a.csv", in: folder)
            try write("n\n5\n", "\(folder)/a.csv")
            try await host.deliver(.modified, "a.csv", in: folder)
            #expect(try await host.get("/inbox?column=n").text == "5\n")
            try FileManager.default.moveItem(atPath: "\(folder)/a.csv", toPath: "\(folder)/b.csv")
            try await host.deliver(.moved, "b.csv", in: folder, previous: "a.csv")
            #expect(host.state.keys.sorted() == ["file/b.csv"])
            try FileManager.default.removeItem(atPath: "\(folder)/b.csv")
            try await host.deliver(.deleted, "b.csv", in: folder)
            #expect(host.state.isEmpty)
        }
    }

    @Test(
        "a file that does not parse is not tried again",
        arguments: [
            ("a,b\n1\n", "a.csv:2: 1 fields where the header has 2"), ("", "a.csv:1: there is no header"),
            ("a\n\"x\n", "a.csv:2: a quote is not closed"),
        ])
    func malformed(_ text: String, _ message: String) async throws {
        try await withTemporaryFolder { folder in
            let host = TestHost(Inbox())
            try write(text, "\(folder)/a.csv")
            let failure = await #expect(throws: CallFailed.self) {
                try await host.deliver(.created, "a.csv", in: folder)
            }
            #expect(failure?.reason == .permanently)
            #expect(failure?.description == message)
        }
    }
}
