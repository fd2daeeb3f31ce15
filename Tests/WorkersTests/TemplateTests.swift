import Foundation
import Manifests
import Support
import Testing
import Wire
import Workers

/// A program that says it can be copied, and then names a process that is none of its copies.
@Suite("A template that lies", .serialized, .timeLimit(.minutes(2)))
struct TemplateTests {
    /// What its FORKED names.
    enum Named: String, CaseIterable {
        /// A child of the host that is no worker.
        case stranger
        /// A worker of another pool.
        case neighbour
        /// A child of its own, in a group of its own.
        case child
        case itself
    }

    @Test("about its copies is killed, and nothing happens to what it named", arguments: Named.allCases)
    func copies(_ named: Named) async throws {
        let stranger = Process()
        stranger.executableURL = URL(fileURLWithPath: "/usr/bin/perl")
        stranger.arguments = ["-e", "setpgrp; sleep 100"]
        try stranger.run()
        defer { stranger.terminate() }
        try await World.with(Handlers.contractWorker()) { neighbour in
            let pid = try await neighbour.request("/pid").text().trimmed
            let process =
                switch named {
                case .stranger: "\(stranger.processIdentifier)"
                case .neighbour: pid
                case .child: "child()"
                case .itself: "os.getpid()"
                }
            try await World.with(Self.liar(naming: process)) { world in
                let isKilled = try await eventually {
                    let text = try await world.request("/echo").text()
                    #expect(text == "")
                    return world.lines.first(.host, containing: "it broke the contract: FORKED names process") != nil
                }
                #expect(isKilled, "\(world.lines.all.suffix(5).map(\.text))")
            }
            #expect(try await neighbour.request("/pid").text().trimmed == pid)
        }
        #expect(stranger.isRunning)
    }

    /// Only the template lies: what is started as a worker is one.
    private static func liar(naming process: String) -> Manifest {
        let hello = bytes(Frame(call: 0, .hello(Hello(triggers: 0xFFFF, sdk: "test"))))
        let script = """
            import os, socket, struct, sys, time
            if os.environ["APUS_WORKER"] != "0": os.execv(sys.argv[1], [sys.argv[1]])
            def child():
                ready, tell = os.pipe()
                pid = os.fork()
                if pid == 0: os.setpgid(0, 0); os.write(tell, b"."); time.sleep(60)
                os.read(ready, 1)
                return pid
            host = socket.socket(fileno=3)
            host.sendall(bytes.fromhex("\(hello)"))
            while header := host.recv(12, socket.MSG_WAITALL):
                payload = host.recv(struct.unpack("<I", header[:4])[0], socket.MSG_WAITALL)
                host.sendall(struct.pack("<IBBHI", 12, 0x26, 0, 0, 0) + payload[:4] + struct.pack("<II", \(process), 0))
            """
        var manifest = Handlers.contractWorker { $0.workers.instance = .fresh }
        manifest.handler.command = ["/usr/bin/python3", "-c", script] + manifest.handler.command
        return manifest
    }

    private static func bytes(_ frame: Frame) -> String {
        var writer = ByteWriter()
        frame.encode(into: &writer)
        return writer.bytes.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
    }
}
