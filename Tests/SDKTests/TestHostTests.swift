import Apus
import ApusTesting
import Testing

/// Counts visits in the way that conflicts, unless told otherwise.
private struct Counter: HTTPFunction, TimerFunction {
    func respond(to request: HTTPRequest, in context: Context) async throws -> HTTPResponse {
        switch request.path {
        case "/read-write":
            let visits = Int(try await context.state.string("visits") ?? "0") ?? 0
            try await context.state.set("visits", "\(visits + 1)")
        case "/increment": try await context.state.increment("visits")
        case "/list":
            let keys = try await context.state.list(prefix: "p/").map(\.key)
            try await context.state.set("count", "\(keys.count)")
            return .text(keys.joined(separator: " "))
        case "/own-writes":
            try await context.state.set("p/3", "new")
            try await context.state.delete("p/1")
            try await context.state.increment("n", by: 2)
            let keys = try await context.state.list(prefix: "p/").map(\.key).joined(separator: " ")
            return .text("\(keys) \(try await context.state.string("n") ?? "-")")
        case "/progress":
            try await context.state.set("lost", "1")
            try await context.state.immediately { try await $0.set("kept", "1") }
            throw PermanentFailure("after the progress")
        case "/progress-reads":
            return .text(
                try await context.state.immediately { state in
                    let value = try await state.string("visits") ?? "-"
                    try await state.set("seen", value)
                    return value
                })
        case "/sleep": try await Task.sleep(for: .seconds(1000))
        case "/stream":
            return .stream { writer in
                for try await chunk in request.body { try await writer.write(chunk.reversed()) }
                try await context.state.immediately { _ = try await $0.increment("streams") }
                try await context.state.set("late", "1")
            }
        default: throw HTTPError(404, "no")
        }
        return .empty()
    }

    func run(_ timer: TimerEvent, in context: Context) async throws {
        context.log.info("attempt", ["number": "\(context.attempt)", "due": timer.due])
    }
}

@Suite("A test host")
struct TestHostTests {
    @Test("commits what a handler wrote, and shows it")
    func effects() async throws {
        let host = TestHost(Counter(), state: ["visits": "41"])
        let response = try await host.get("/read-write")
        #expect(response.status == 204)
        #expect(host.effects == [.set("visits", "42")])
        #expect(host.state == ["visits": "42"])
        #expect(host.runs == 1)
    }

    @Test("re-runs a handler whose reads have changed")
    func conflict() async throws {
        let host = TestHost(Counter())
        host.beforeNextCommit { $0.write("visits", "10") }
        _ = try await host.get("/read-write")
        #expect(host.runs == 2)
        #expect(host.state["visits"] == "11")
    }

    @Test("gives up after five conflicts")
    func conflicts() async throws {
        let host = TestHost(Counter())
        for number in 1...5 { host.beforeNextCommit { $0.write("visits", "\(number)") } }
        let failure = await #expect(throws: CallFailed.self) { _ = try await host.get("/read-write") }
        #expect(failure?.reason == .conflicted)
        #expect(host.runs == 5)
    }

    @Test("lets increments commute")
    func increments() async throws {
        let host = TestHost(Counter(), state: ["visits": "1"])
        host.beforeNextCommit { $0.write("visits", "10") }
        _ = try await host.get("/increment")
        #expect(host.runs == 1)
        #expect(host.effects == [.increment("visits", by: 1)])
        #expect(host.state["visits"] == "11")
    }

    @Test("counts a key that appears or goes under a scan as a conflict", arguments: ["p/2", "p/1"])
    func scan(_ key: String) async throws {
        let host = TestHost(Counter(), state: ["p/1": "1"])
        host.beforeNextCommit { $0.write(key, key == "p/1" ? nil : "2") }
        let response = try await host.get("/list")
        #expect(host.runs == 2)
        #expect(response.text == (key == "p/1" ? "" : "p/1 p/2"))
    }

    @Test("lets a call see its own writes")
    func ownWrites() async throws {
        let host = TestHost(Counter(), state: ["p/1": "1", "p/2": "2", "n": "5"])
        #expect(try await host.get("/own-writes").text == "p/2 p/3 7")
        #expect(host.state == ["p/2": "2", "p/3": "new", "n": "7"])
    }

    @Test("applies nothing of a failure but what was committed immediately")
    func failure() async throws {
        let host = TestHost(Counter())
        let failure = await #expect(throws: CallFailed.self) { _ = try await host.get("/progress") }
        #expect(failure?.reason == .permanently)
        #expect(host.state == ["kept": "1"])
        #expect(host.immediateEffects == [.set("kept", "1")])
        #expect(host.effects.isEmpty)
    }

    @Test("re-runs a block of 'immediately' alone on a conflict")
    func immediatelyConflict() async throws {
        let host = TestHost(Counter())
        host.beforeNextCommit { $0.write("visits", "7") }
        #expect(try await host.get("/progress-reads").text == "7")
        #expect(host.state["seen"] == "7")
        #expect(host.runs == 1)
    }

    @Test("ends a call at its time limit")
    func timeLimit() async throws {
        let host = TestHost(Counter())
        host.timeLimit = .milliseconds(20)
        let failure = await #expect(throws: CallFailed.self) { _ = try await host.get("/sleep") }
        #expect(failure?.reason == .timedOut)
    }

    @Test("lets state fail")
    func stateFailure() async throws {
        let host = TestHost(Counter())
        host.stateFailure = "the disk is full"
        let failure = await #expect(throws: CallFailed.self) { _ = try await host.get("/increment") }
        #expect(failure?.description == "the disk is full")
    }

    @Test("refuses an increment of what is no number")
    func notANumber() async throws {
        for value in ["many", "\(Int64.max)"] {
            let host = TestHost(Counter(), state: ["visits": value])
            await #expect(throws: CallFailed.self) { _ = try await host.get("/increment") }
        }
    }

    @Test("streams after the commit, where only immediate writes are allowed")
    func stream() async throws {
        let host = TestHost(Counter())
        let error = await #expect(throws: StateError.self) {
            _ = try await host.send("POST", "/stream", chunks: [[1, 2], [], [3]])
        }
        #expect(error?.code == .invalid)
        #expect(host.state == ["streams": "1"])
    }

    @Test("fires timers with their attempt, and keeps the log")
    func timer() async throws {
        let host = TestHost(Counter())
        try await host.fire(due: "2026-03-01T00:00:00.000Z", attempt: 2)
        #expect(host.log.map(\.text) == ["attempt"])
        #expect(host.log[0].metadata.map(\.value) == ["2", "2026-03-01T00:00:00.000Z"])
        await #expect(throws: CallFailed.self) { try await host.deliver(.created, "a", in: "/") }
    }
}
