import Events
import Glibc
import Testing

@testable import Workers

@Suite("How a server is reached")
struct UpstreamTests {
    @Test("every port comes once before any comes again, and none that the kernel gives away or a server has")
    func ports() {
        var rotation = PortRotation(ephemeral: 20_002...65_533, start: 7)
        let first = (0..<4).compactMap { _ in rotation.next() }
        #expect(Set(first) == [20_000, 20_001, 65_534, 65_535])
        #expect(rotation.next() == nil)
        rotation.release(20_001)
        #expect(rotation.next() == 20_001)
        var none = PortRotation(ephemeral: 1024...65_535, start: 0)
        #expect(none.count == 0 && none.next() == nil)
    }

    @Test("a port on which somebody listens on ::1 alone is taken")
    func otherLoopback() throws {
        let listener = socket(AF_INET6, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_in6()
        address.sin6_family = sa_family_t(AF_INET6)
        inet_pton(AF_INET6, "::1", &address.sin6_addr)
        var size = socklen_t(MemoryLayout<sockaddr_in6>.size)
        let outcome = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(listener, $0, size) == 0 ? getsockname(listener, $0, &size) : -1
            }
        }
        try #require(outcome == 0 && listen(listener, 1) == 0, "this machine has no ::1")
        let port = Int(in_port_t(bigEndian: address.sin6_port))
        #expect(!PortAllocator.isFree(port))
        close(listener)
        #expect(PortAllocator.isFree(port))
    }

    @Test("the connection that was used last is used first; a request that may run only once trusts no older one")
    func idleConnections() {
        let start = ContinuousClock.now
        var idle = IdleConnections<String>()
        idle.put("a", timeout: nil, now: start)
        idle.put("b", timeout: nil, now: start + .seconds(10))
        let soon = idle.take(replayable: false, now: start + .seconds(10.5))
        #expect(soon.use == "b" && soon.close.isEmpty)
        let late = idle.take(replayable: false, now: start + .seconds(11))
        #expect(late.use == nil && late.close == ["a"])
        idle.put("c", timeout: nil, now: start)
        #expect(idle.take(replayable: true, now: start + .seconds(60)).use == "c")
        #expect(idle.take(replayable: true, now: start).use == nil)
    }

    @Test("a connection that its server is about to close is not used")
    func keepAliveTimeout() {
        let start = ContinuousClock.now
        var idle = IdleConnections<String>()
        idle.put("a", timeout: .seconds(5), now: start)
        #expect(idle.take(replayable: true, now: start + .seconds(4)).close == ["a"])
        idle.put("b", timeout: .seconds(5), now: start)
        #expect(idle.take(replayable: true, now: start + .seconds(3)).use == "b")
    }

    @Test("what a client elsewhere claims of others is dropped")
    func forwardedFromElsewhere() {
        let given = [HeaderField("X-Forwarded-For", "1.2.3.4"), HeaderField("Forwarded", "for=1.2.3.4")]
        let forwarded = ForwardedFields(remote: "[2001:db8::1]:5000", host: "example.org:8080", given: given)
        #expect(
            forwarded.fields == [
                HeaderField("Forwarded", "for=\"[2001:db8::1]\";host=\"example.org:8080\";proto=http"),
                HeaderField("X-Forwarded-For", "2001:db8::1"), HeaderField("X-Forwarded-Host", "example.org:8080"),
                HeaderField("X-Forwarded-Proto", "http"),
            ])
    }

    @Test("what the reverse proxy on this machine says is kept and added to")
    func forwardedByProxy() {
        let given = [
            HeaderField("x-forwarded-for", "1.2.3.4"), HeaderField("X-Forwarded-Proto", "https"),
            HeaderField("X-Forwarded-Host", "example.org"), HeaderField("Forwarded", "for=1.2.3.4"),
        ]
        let forwarded = ForwardedFields(remote: "127.0.0.1:5000", host: "localhost", given: given)
        #expect(
            forwarded.fields == [
                HeaderField("Forwarded", "for=1.2.3.4, for=127.0.0.1;host=\"localhost\";proto=http"),
                HeaderField("X-Forwarded-For", "1.2.3.4, 127.0.0.1"), HeaderField("X-Forwarded-Host", "example.org"),
                HeaderField("X-Forwarded-Proto", "https"),
            ])
    }

    @Test("Retry-After is read as seconds and as a date, and nothing else is")
    func retryAfter() throws {
        let now = try #require(WallTime(rfc3339: "1994-11-06T08:49:00Z"))
        #expect(RetryAfter("120", now: now)?.delay == .seconds(120))
        #expect(RetryAfter("Sun, 06 Nov 1994 08:49:37 GMT", now: now)?.delay == .seconds(37))
        #expect(RetryAfter("Sun, 06 Nov 1994 08:48:00 GMT", now: now)?.delay == .zero)
        #expect(RetryAfter("99999999", now: now)?.delay == .seconds(86_400))
        for text in ["-1", "soon", "", "Sun, 06 Nov 1994 08:49:37 CET"] { #expect(RetryAfter(text, now: now) == nil) }
    }
}
