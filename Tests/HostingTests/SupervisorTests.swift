import Foundation
import Logging
import Support
import Testing

@testable import Hosting

@Suite("What a service manager is told")
struct SupervisorTests {
    private static func serving() -> SupervisorState {
        var state = SupervisorState()
        _ = state.ready("serves 1 function")
        return state
    }

    @Test("ready once, with the status")
    func ready() {
        var state = SupervisorState()
        #expect(state.ready("serves 1 function") == "READY=1\nSTATUS=serves 1 function")
        #expect(state.ready("again") == nil)
    }

    @Test("a reload has its instant, and ends with READY, whether it went well or not")
    func reload() {
        var state = Self.serving()
        #expect(state.reloading(at: 1234) == "RELOADING=1\nMONOTONIC_USEC=1234\nSTATUS=reloading")
        #expect(state.reloaded(nil) == "READY=1\nSTATUS=serves 1 function")
        _ = state.reloading(at: 2345)
        #expect(state.reloaded("not reloaded: a:1:1: wrong") == "READY=1\nSTATUS=not reloaded: a:1:1: wrong")
    }

    @Test(
        "nothing is said of reloads before READY, which would come too early, or after STOPPING, which would be undone")
    func order() {
        var starting = SupervisorState()
        #expect(starting.reloading(at: 1) == nil)
        #expect(starting.reloaded(nil) == nil)
        var stopping = Self.serving()
        _ = stopping.reloading(at: 1)
        #expect(
            stopping.stopping(within: .seconds(40))
                == "STOPPING=1\nSTATUS=finishing what runs\nEXTEND_TIMEOUT_USEC=40000000")
        #expect(stopping.reloaded(nil) == nil)
        #expect(stopping.stopping(within: .seconds(40)) == nil)
    }

    @Test("no text begins an assignment of its own")
    func lines() {
        var state = SupervisorState()
        #expect(state.ready("a\nWATCHDOG=trigger\r\nb") == "READY=1\nSTATUS=a WATCHDOG=trigger b")
    }

    @Test("what does not answer is in the status until it answers again")
    func stuck() {
        var state = Self.serving()
        #expect(state.alive() == "WATCHDOG=1")
        #expect(state.stuck(["lane 0", "writer"]) == "STATUS=no answer from lane 0, writer")
        #expect(state.alive() == "WATCHDOG=1\nSTATUS=serves 1 function")
        #expect(state.alive() == "WATCHDOG=1")
    }

    @Test("datagrams come through, to a path and to an abstract name", arguments: [false, true])
    func datagrams(isAbstract: Bool) async throws {
        try await withTemporaryFolder { folder in
            let path = isAbstract ? "@apus-\(UUID().uuidString)" : folder + "/notify"
            let receiver = try DatagramReceiver(path: path)
            let supervisor = Supervisor(NotifySocket(path: path), logger: Logger(label: "test"))
            supervisor.ready("here")
            #expect(receiver.next() == "READY=1\nSTATUS=here")
            supervisor.reloading()
            let text = try #require(receiver.next())
            let microseconds = Int64(text.split(separator: "\n")[1].dropFirst("MONOTONIC_USEC=".count))
            #expect(microseconds ?? 0 > 0)
        }
    }

    @Test("a manager that is gone is no reason to fail")
    func gone() {
        #expect(NotifySocket(path: "/no/such/socket").send("READY=1") == "No such file or directory")
        #expect(NotifySocket(path: "/" + String(repeating: "a", count: 200)).send("READY=1") != nil)
        Supervisor(nil, logger: Logger(label: "test")).ready("nobody listens")
    }
}
