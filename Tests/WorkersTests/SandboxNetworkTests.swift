import Events
import Glibc
import Manifests
import Support
import Testing
import Workers

@Suite("The network of a sandbox", .serialized, .timeLimit(.minutes(2)))
struct SandboxNetworkTests {
    @Test("is nothing with none, and says what was tried", arguments: [true, false])
    func none(_ isProtected: Bool) async throws {
        let server = try Listener()
        let manifest = Handlers.connecting(to: "127.0.0.1", server.port) {
            $0.sandbox.network = .none
            if !isProtected { $0.sandbox.lifted = [.network] }
        }
        try await World.with(manifest) { world in
            let text = try await world.request("/").text()
            #expect(text == (isProtected ? "socket: \(Self.refused)" : "connected"))
            guard isProtected else { return }
            let isLogged = await eventually {
                world.lines.first(.host, containing: "sandbox: refused a socket of family 2") != nil
            }
            #expect(isLogged)
        }
    }

    @Test("is this machine with loopback: its addresses, both ways", arguments: ["127.0.0.1", "127.1.2.3"])
    func loopback(_ address: String) async throws {
        let server = try Listener(address: address)
        let manifest = Handlers.connecting(to: address, server.port) { $0.sandbox.network = .loopback }
        #expect(try await World.text(of: manifest) == "connected")
        let serving = Handlers.perl(
            """
            use Socket; socket(S, PF_INET, SOCK_STREAM, 0) or die "socket: $!";
            bind(S, sockaddr_in(0, INADDR_LOOPBACK)) or die "bind: $!"; listen(S, 5) or die "listen: $!";
            socket(C, PF_INET, SOCK_STREAM, 0); connect(C, getsockname(S)) or die "connect: $!";
            print "served";
            """
        ) { $0.sandbox.network = .loopback }
        #expect(try await World.text(of: serving) == "served")
    }

    @Test("is not the world with loopback", .enabled(if: Listener.networkAddress != nil), arguments: [true, false])
    func world(_ isProtected: Bool) async throws {
        // The machine's own address on a network stands for all that is not loopback.
        let address = try #require(Listener.networkAddress)
        let server = try Listener(address: address)
        let manifest = Handlers.connecting(to: address, server.port) {
            $0.sandbox.network = .loopback
            if !isProtected { $0.sandbox.lifted = [.network] }
        }
        try await World.with(manifest) { world in
            let text = try await world.request("/").text()
            #expect(text == (isProtected ? "connect: \(Self.refused)" : "connected"))
            guard isProtected else { return }
            let isLogged = await eventually {
                world.lines.first(.host, containing: "refused a connection to \(address):\(server.port)") != nil
            }
            #expect(isLogged)
        }
    }

    @Test("leaves a server its own port with none, and no other", arguments: [true, false])
    func server(_ isProtected: Bool) async throws {
        let listener = try Listener()
        let script = """
            import http.server, os, socket
            class Handler(http.server.BaseHTTPRequestHandler):
                def do_POST(self):
                    try:
                        socket.create_connection(("127.0.0.1", \(listener.port))); text = b"connected"
                    except PermissionError: text = b"refused"
                    try:
                        socket.create_server(("127.0.0.1", 0)); text += b" listening"
                    except PermissionError: text += b" refused"
                    # Connects by the way (MSG_FASTOPEN, tcp(7)).
                    try: socket.socket().sendto(b"x", 0x20000000, ("127.0.0.1", \(listener.port))); text += b" sent"
                    except PermissionError: text += b" refused"
                    try:
                        socket.socket().sendmsg([b"x"], [], 0x20000000, ("127.0.0.1", \(listener.port))); text += b" sent"
                    except PermissionError: text += b" refused"
                    self.send_response(200); self.send_header("Content-Length", str(len(text))); self.end_headers()
                    self.wfile.write(text)
            http.server.HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
            """
        var manifest = Handlers.shell("") {
            $0.sandbox.network = .none
            if !isProtected { $0.sandbox.lifted = [.network] }
        }
        manifest.handler = Handler(command: ["/usr/bin/env", "python3", "-c", script], contract: .http, directory: "/")
        try await World.with(manifest) { world in
            let text = try await world.request("/").text()
            #expect(text == (isProtected ? "refused refused refused refused" : "connected listening sent sent"))
            #expect(listener.hasCaller != isProtected)
            guard isProtected else { return }
            let isLogged = await eventually {
                world.lines.first(.host, containing: "sandbox: refused TCP Fast Open") != nil
            }
            #expect(isLogged)
        }
    }

    @Test("cannot be widened: sockets stay on the loopback device, and there are no others")
    func binding() async throws {
        let manifest = Handlers.perl(
            """
            use Socket; socket(S, PF_INET, SOCK_STREAM, 0);
            print unpack("Z*", getsockopt(S, SOL_SOCKET, 25)), "\\n";
            print setsockopt(S, SOL_SOCKET, 25, "") ? "freed" : "$!", "\\n";
            for (SOCK_DGRAM, SOCK_RAW) { print socket(U, PF_INET, $_, 0) ? "made" : "$!", "\\n"; }
            print socket(U, PF_UNIX, SOCK_STREAM, 0) ? "made" : "$!", "\\n";
            """
        ) { $0.sandbox.network = .loopback }
        try await World.with(manifest) { world in
            let lines = try await world.request("/").text().split(separator: "\n")
            #expect(lines == ["lo", "Operation not permitted"] + Array(repeating: Self.refused[...], count: 3))
        }
    }

    private static let refused = "Permission denied"
}

/// A listening socket of the test.
final class Listener {
    let port: Int
    private let descriptor: Int32

    init(address text: String = "127.0.0.1") throws {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        self.descriptor = descriptor
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        inet_pton(AF_INET, text, &address.sin_addr)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, length) == 0 && listen(descriptor, 8) == 0
                    && getsockname(descriptor, $0, &length) == 0
            }
        }
        guard isBound else { throw Unexpected(description: "cannot listen on \(text)") }
        port = Int(UInt16(bigEndian: address.sin_port))
    }

    deinit { close(descriptor) }

    /// Whether somebody has connected.
    var hasCaller: Bool {
        var ready = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        return poll(&ready, 1, 0) == 1
    }

    /// An IPv4 address of this machine that is not loopback, if it has one.
    static let networkAddress: String? = {
        var list: UnsafeMutablePointer<ifaddrs>?
        guard getifaddrs(&list) == 0 else { return nil }
        defer { freeifaddrs(list) }
        var next = list
        while let entry = next?.pointee {
            next = entry.ifa_next
            guard let address = entry.ifa_addr, address.pointee.sa_family == sa_family_t(AF_INET) else { continue }
            var text = [CChar](repeating: 0, count: 64)
            let number = address.withMemoryRebound(to: sockaddr_in.self, capacity: 1) { $0.pointee.sin_addr }
            var copy = number
            inet_ntop(AF_INET, &copy, &text, 64)
            if UInt32(bigEndian: number.s_addr) >> 24 != 127 {
                return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            }
        }
        return nil
    }()
}

extension Handlers {
    /// A program that connects, and prints how that went.
    static func connecting(
        to address: String, _ port: Int, _ adjust: (inout Manifest) -> Void = { _ in }
    ) -> Manifest {
        perl(
            """
            use Socket; socket(S, PF_INET, SOCK_STREAM, 0) or do { print "socket: $!"; exit };
            print connect(S, sockaddr_in(\(port), inet_aton("\(address)"))) ? "connected" : "connect: $!";
            """, adjust)
    }
}
