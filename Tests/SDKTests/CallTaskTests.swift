import Apus
import Support
import Testing
import Wire

/// Says whether its task is cancelled.
private struct Tasks: HTTPFunction {
    func respond(to request: HTTPRequest, in context: Context) async throws -> HTTPResponse {
        switch request.path {
        case "/sleep": try await Task.sleep(for: .seconds(1000))
        case "/cancel": withUnsafeCurrentTask { $0?.cancel() }
        case "/get": return .text(try await context.state.string("k") ?? "none")
        case "/child": return .text(try await child(request, context.state))
        default: break
        }
        return .text("\(Task.isCancelled)")
    }

    /// What becomes of a read in a task that is cancelled once the request's body has ended.
    private func child(_ request: HTTPRequest, _ state: State) async throws -> String {
        try await withThrowingTaskGroup(of: String.self) { group in
            group.addTask {
                do { return try await state.string("k") ?? "none" } catch { return "\(type(of: error))" }
            }
            for try await _ in request.body {}
            group.cancelAll()
            return try await group.next() ?? ""
        }
    }
}

@Suite("The task of a call", .timeLimit(.minutes(2)))
struct CallTaskTests {
    private let host = FakeHost { Tasks() }

    private func answer() async -> String { String(decoding: await host.next()?.bodyBytes ?? [], as: UTF8.self) }

    @Test("is not that of a call that was cancelled, by the host or by its handler")
    func cancelled() async {
        _ = await host.greet()
        host.get("/sleep")
        host.send(Frame(call: 1, .cancel))
        guard case .failure = await host.next()?.message else {
            Issue.record("the call went on")
            return
        }
        host.get("/")
        #expect(await answer() == "false")
        host.get("/cancel")
        #expect(await answer() == "true")
        host.get("/")
        #expect(await answer() == "false")
    }

    @Test("may have children whose reads end with them")
    func child() async {
        _ = await host.greet()
        host.request("POST", "/child", body: [], end: false)
        #expect(await host.next()?.message == .state(request: 1, scope: 0, .get(key: "k")))
        host.send(Frame(call: 1, .body(.bytes([]), end: true)))
        #expect(await answer() == "CancellationError")
    }

    @Test("is there for each of many calls that wait")
    func many() async {
        _ = await host.greet(concurrency: 64)
        for round in 1...2 {
            for call: UInt32 in 1...64 { host.get("/get", call: call) }
            for call: UInt32 in 1...64 {
                #expect(await host.next() == Frame(call: call, .state(request: 1, scope: 0, .get(key: "k"))))
            }
            for call: UInt32 in (1...64).reversed() {
                host.send(Frame(call: call, .stateReply(request: 1, .value([UInt8]("\(round) \(call)".utf8)))))
                #expect(await answer() == "\(round) \(call)")
            }
        }
    }
}
