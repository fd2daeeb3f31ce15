import Apus
import ApusTesting
import Testing

@testable import Uptime

@Suite("Uptime")
struct UptimeTests {
    private func host(_ status: Int?, error: String? = nil) -> TestHost {
        TestHost(
            Uptime(urls: ["http://a/?<b>"]) { _ in
                Uptime.Check(time: "", status: status, milliseconds: 12, error: error)
            })
    }

    @Test("keeps a history at the due times")
    func history() async throws {
        let host = host(200)
        try await host.fire(due: "2026-01-01T00:00:00.000Z")
        try await host.fire(due: "2026-01-01T00:01:00.000Z")
        #expect(
            try await host.get("/uptime").text == """
                [{"checks":[{"milliseconds":12,"status":200,"time":"2026-01-01T00:01:00.000Z"},\
                {"milliseconds":12,"status":200,"time":"2026-01-01T00:00:00.000Z"}],"url":"http://a/?<b>"}]

                """)
        #expect(host.log.map(\.text) == ["is up"])
    }

    @Test("shows browsers a page")
    func page() async throws {
        let host = host(nil, error: "refused")
        try await host.fire()
        let response = try await host.get("/uptime", headers: ["Accept": "text/html,*/*"])
        #expect(response.headers["content-type"] == "text/html; charset=utf-8")
        #expect(response.text.contains("<td>http://a/?&lt;b&gt;<td>refused<td>0 % of 1"))
        #expect(host.log.map(\.text) == ["is down"])
    }

    @Test("a worker without URLS fails for good")
    func noURLs() async throws {
        let host = TestHost(Uptime(urls: []) { _ in Uptime.Check(time: "", milliseconds: 0) })
        let failure = await #expect(throws: CallFailed.self) { try await host.fire() }
        #expect(failure?.reason == .permanently)
    }

    @Test("what is no address is an error, not a crash")
    func badAddress() async throws {
        let host = TestHost(Uptime(urls: ["no address"], check: Uptime.ask))
        try await host.fire()
        #expect(host.log.map(\.text) == ["is down"])
    }
}
