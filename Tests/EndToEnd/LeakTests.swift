import Foundation
import Support
import Testing

@Suite("apus check --leaks", .timeLimit(.minutes(5)))
struct LeakTests {
    /// Checks the contract worker with an operation of its own as the event.
    private func check(
        _ operation: String, before: String? = nil, options: [String] = []
    ) async throws -> (status: Int32, text: String) {
        try await withTemporaryFolder { folder in
            try """
            name: worker
            handler: { command: ["\(ApusHost.build)/ContractWorker"], contract: apus }
            triggers: [{ http: { path: "/{path*}" } }]
            """.write(toFile: folder + "/worker.yaml", atomically: true, encoding: .utf8)
            func event(_ path: String, _ name: String) throws -> String {
                let file = folder + "/" + name
                try "{\"method\": \"POST\", \"path\": \"\(path)\"}".write(
                    toFile: file, atomically: true, encoding: .utf8)
                return file
            }
            var arguments = [
                "check", folder + "/worker.yaml", "--leaks", "worker", "--event", try event(operation, "event"),
            ]
            if let before { arguments += ["--before", try event(before, "before")] }
            let result = try run(ApusHost.build + "/apus", arguments + options)
            return (result.status, result.output + result.error)
        }
    }

    @Test("finds what a worker remembers, and says where the answers differ")
    func leak() async throws {
        let output = try await check("/remember")
        #expect(output.status == 1)
        #expect(output.text.contains("LEAK    body $.calls"))
        #expect(output.text.contains("fresh   1\n") && output.text.contains("reused  2 | 3 | 4\n"))
        #expect(output.text.contains("same    body $.name"))
    }

    @Test("finds what one event leaves for another")
    func other() async throws {
        let output = try await check("/remember", before: "/remember", options: ["--json"])
        #expect(output.status == 1)
        #expect(output.text.contains(#""leaks":[{"fresh":"1","part":"body $.calls","reused":["2","3","4"]}]"#))
    }

    @Test("finds nothing in a function that keeps nothing, and looks at the state that each run leaves")
    func clean() async throws {
        let output = try await check("/increment")
        #expect(output.status == 0)
        #expect(output.text.contains("state key") && output.text.contains("no leak"))
    }

    @Test("tells what differs by itself from a leak")
    func varying() async throws {
        let output = try await check("/pid")
        #expect(output.status == 0)
        #expect(output.text.contains("varies  body line 1") || output.text.contains("varies  body"))
    }

    @Test("shows nothing of a function that always fails")
    func failing() async throws {
        let output = try await check("/fail")
        #expect(output.status == 1)
        #expect(output.text.contains("no run succeeded: told to fail"))
    }
}
