import Events
import Manifests
import NIOCore
import Support
import Testing
import Workers

@Suite(
    "What Landlock refuses to a worker", .enabled(if: KernelAudit.isAllowed, "\(KernelAudit.why)"), .serialized,
    .timeLimit(.minutes(2)))
struct RefusalLogTests {
    /// Lines of a sandbox.
    private static func lines(_ world: World) -> [WorkerLine] {
        world.lines.all.filter { $0.source == .host && $0.text.hasPrefix("sandbox: ") }
    }

    private static func run(_ script: String, _ world: World) async throws {
        _ = try await world.request("/shell", body: .bytes(ByteBuffer(string: script))).text()
    }

    @Test("is a line once for a worker")
    func once() async throws {
        try await KernelAudit.whileOn {
            try await World.with(Handlers.contractWorker()) { world in
                try await Self.run("for n in 1 2 3; do cat /etc/shadow; done; ls /root", world)
                let texts = ["sandbox: refused to read /etc/shadow", "sandbox: refused to list /root"]
                #expect(await eventually { Self.lines(world).contains { $0.text == texts[1] } })
                // What else a shell is refused depends on the system.
                let lines = Self.lines(world).filter { texts.contains($0.text) }
                #expect(lines.map(\.text) == texts)
                let pid = try await world.request("/pid").text().trimmed
                #expect(lines.map { "\($0.worker)" } == [pid, pid])
            }
        }
    }

    @Test("is in the log of who was refused it, though many are at the same time, and end at once")
    func many() async throws {
        try await KernelAudit.whileOn {
            try await withThrowingTaskGroup { group in
                for number in 0..<8 {
                    group.addTask {
                        let manifest = Handlers.shell("cat /etc/shadow; mkdir /usr/\(number); :")
                        try await World.with(manifest) { world in
                            var ids: Set<InvocationID> = []
                            for _ in 0..<20 {
                                let id = InvocationID()
                                ids.insert(id)
                                _ = try await world.request("/", id: id).text()
                            }
                            for text in ["refused to read /etc/shadow", "refused to make a folder in /usr"] {
                                func lines() -> [WorkerLine] {
                                    Self.lines(world).filter { $0.text == "sandbox: " + text }
                                }
                                let areLogged = await eventually { lines().count >= 20 }
                                #expect(areLogged, "\(lines().count)")
                                #expect(Set(lines().compactMap(\.invocation)) == ids)
                                #expect(Set(lines().map(\.worker)).count == 20)
                            }
                        }
                    }
                }
                try await group.waitForAll()
            }
        }
    }

    @Test("is its template's when it is a copy")
    func copies() async throws {
        try await KernelAudit.whileOn {
            try await World.with(Handlers.contractWorker { $0.workers.instance = .fresh }) { world in
                // The first may be started before the template can be copied.
                var callers: Set<Int32> = []
                let isLogged = try await eventually {
                    let text = try await world.request(
                        "/shell", body: .bytes(ByteBuffer(string: "cat /etc/shadow 2>&-; echo $PPID"))
                    ).text()
                    callers.insert(try #require(Int32(text.trimmed)))
                    return Self.lines(world).contains {
                        $0.text.hasSuffix("read /etc/shadow") && $0.worker > 0 && !callers.contains($0.worker)
                    }
                }
                #expect(isLogged, "\(Self.lines(world)), \(callers)")
            }
        }
    }

    @Test("is a line again soon after a flood, of which the kernel drops what it has no room for")
    func flood() async throws {
        try await KernelAudit.whileOn {
            try await World.with(Handlers.perl("for (1..20000) { open(F, '/etc/shadow') }")) { world in
                _ = try await world.request("/").text()
                let isLogged = await eventually {
                    Self.lines(world).contains { $0.text == "sandbox: refused to read /etc/shadow" }
                }
                #expect(isLogged)
            }
            try await World.with(Handlers.shell("mkdir /usr/apus-test; :")) { world in
                let isLogged = try await eventually {
                    _ = try await world.request("/").text()
                    return Self.lines(world).contains { $0.text == "sandbox: refused to make a folder in /usr" }
                }
                #expect(isLogged)
            }
        }
    }
}
