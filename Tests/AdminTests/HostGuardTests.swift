import Admin
import Events
import Testing

@Suite struct HostGuardTests {
    static let guarding = HostGuard(listenHost: "box.lan")

    @Test(
        "programs of this machine pass",
        arguments: ["127.0.0.1:8081", "localhost:8081", "LocalHost", "[::1]:8081", "192.168.0.7:8081", "box.lan:1"])
    func good(authority: String) {
        #expect(Self.guarding.refusal(authority: authority, origin: nil, fetchSite: nil) == nil)
        #expect(
            Self.guarding.refusal(authority: authority, origin: "http://" + authority, fetchSite: "same-origin") == nil)
    }

    @Test(
        "a name that may have been rebound is refused",
        arguments: ["evil.example:8081", "127.0.0.1.evil.example", "1.2.3", "1.2.3.400", "", ":8081", "[::1", "a:b:c"])
    func rebound(authority: String) {
        #expect(Self.guarding.refusal(authority: authority, origin: nil, fetchSite: nil)?.status == 403)
    }

    @Test("a page of another site is refused, whatever it calls this host")
    func crossSite() {
        let authority = "127.0.0.1:8081"
        for origin in ["http://evil.example", "null", "http://127.0.0.1:9999", "https://127.0.0.1:8081"] {
            #expect(Self.guarding.refusal(authority: authority, origin: origin, fetchSite: nil)?.status == 403)
        }
        #expect(Self.guarding.refusal(authority: authority, origin: nil, fetchSite: "cross-site")?.status == 403)
        #expect(Self.guarding.refusal(authority: nil, origin: nil, fetchSite: nil)?.status == 403)
    }
}
