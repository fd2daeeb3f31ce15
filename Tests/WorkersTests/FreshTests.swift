import Events
import Foundation
import Manifests
import NIOCore
import Support
import Testing
import Workers

@Suite("A worker that is fresh for each call", .timeLimit(.minutes(2)))
struct FreshTests {
    private static func manifest(_ adjust: (inout Manifest) -> Void = { _ in }) -> Manifest {
        Handlers.contractWorker {
            $0.workers.instance = .fresh
            adjust(&$0)
        }
    }

    private static func temporaryDirectory(_ world: World) async throws -> String {
        try await world.request("/environment", query: "name=TMPDIR").text().trimmed
    }

    /// The temporary directory of the template whose copy has run a call; `nil` when it was no copy.
    private static func templateOfCall(_ world: World) async throws -> String? {
        let parts = try await temporaryDirectory(world).split(separator: "/").dropLast()
        return parts.last?.hasPrefix("apus-worker-") == true ? "/" + parts.joined(separator: "/") : nil
    }

    /// That of the first copy that runs a call: those that were started ahead before are none.
    private static func template(_ world: World) async throws -> String {
        var template: String?
        _ = try await eventually {
            template = try await templateOfCall(world)
            return template != nil
        }
        return try #require(template)
    }

    /// What a shell prints that a worker starts.
    private static func shell(_ script: String, _ world: World, id: InvocationID = InvocationID()) async throws
        -> String
    {
        try await world.request("/shell", body: .bytes(ByteBuffer(string: script)), id: id).text()
    }

    private static func failure(of script: String, _ world: World) async throws -> CallFailure {
        do {
            throw Unexpected(description: "no failure but '\(try await shell(script, world).prefix(100))'")
        } catch let failure as CallFailure {
            return failure
        }
    }

    private static func isCopy(_ world: World) async throws -> Bool { try await templateOfCall(world) != nil }

    @Test("is another for each of many calls, and soon a copy of a loaded one")
    func many() async throws {
        try await World.with(Self.manifest()) { world in
            var seen: Set<String> = []
            for _ in 0..<100 { seen.insert(try await world.request("/pid").text()) }
            #expect(seen.count == 100)
            let isCopy = try await eventually { try await Self.isCopy(world) }
            #expect(isCopy)
        }
    }

    @Test("is a worker by itself where the handler has threads, which are not copied")
    func threads() async throws {
        try await World.with(Self.manifest { $0.environment["CONTRACT_START"] = "thread" }) { world in
            for _ in 0..<20 {
                let isCopy = try await Self.isCopy(world)
                #expect(!isCopy)
            }
        }
    }

    @Test("has a number and a temporary directory of its own, which goes with it")
    func surroundings() async throws {
        let parent = try await World.with(Self.manifest()) { world in
            let parent = try await Self.template(world)
            var folders: Set<String> = []
            for _ in 0..<10 {
                let folder = try await Self.temporaryDirectory(world)
                folders.insert(folder)
                let isGone = await eventually { !exists(folder) }
                #expect(isGone)
            }
            #expect(folders.count == 10)
            return parent
        }
        let isGone = await eventually { !exists(parent) }
        #expect(isGone)
    }

    @Test("has a home of its own, in which nothing is left from the call before")
    func home() async throws {
        try await World.with(Self.manifest()) { world in
            _ = try await Self.template(world)
            for _ in 0..<5 {
                let text = try await Self.shell("ls -A $HOME; touch $HOME/left; [ $HOME = $TMPDIR ] && echo own", world)
                #expect(text == "own\n")
            }
            #expect(world.lines.first(.host, containing: "starting it anew") == nil)
        }
    }

    @Test("has the home that its manifest names")
    func declaredHome() async throws {
        try await World.with(Self.manifest { $0.environment["HOME"] = "/usr" }) { world in
            _ = try await Self.template(world)
            #expect(try await Self.shell("echo $HOME", world) == "/usr\n")
        }
    }

    @Test("ends with all that it has started, wherever that has gone")
    func strays() async throws {
        try await World.with(Self.manifest()) { world in
            _ = try await Self.template(world)
            let script = "setsid sleep 1000 > /dev/null 2>&1 < /dev/null & echo $!"
            let stray = try #require(pid_t(try await Self.shell(script, world).trimmed))
            // While its template, and with it other copies, live on.
            let isGone = await eventually { kill(stray, 0) != 0 || isZombie("\(stray)") }
            #expect(isGone)
            let livesOn = try await eventually { try await Self.isCopy(world) }
            #expect(livesOn)
        }
    }

    @Test("is bounded in its processes, and others answer", arguments: [true, false])
    func processes(_ isProtected: Bool) async throws {
        let script =
            "for n in $(seq 1 40); do sleep 60 > /dev/null 2>&1 & done; sleep \(isProtected ? 60 : 1); echo all"
        let manifest = Self.manifest {
            $0.limits.processes = 20
            if !isProtected { $0.sandbox.lifted = [.processes] }
        }
        try await World.with(manifest) { world in
            _ = try await Self.template(world)
            guard isProtected else {
                #expect(try await Self.shell(script, world) == "all\n")
                return
            }
            async let bomb = Self.failure(of: script, world)
            #expect(try await world.request("/sleep", query: "ms=10").text() == "done\n")
            let failure = try await bomb
            #expect(failure.message.contains("more than 20 (limits.processes)"), "\(failure)")
            #expect(world.lines.first(.host, containing: "template killed") == nil)
        }
    }

    @Test("keeps no more memory than its limit, with all that it has started")
    func memory() async throws {
        let child = "perl -e '$x = \"x\"; $x x= 60 << 20; sleep 30'"
        let manifest = Self.manifest { $0.limits.memory = 128 << 20 }
        try await World.with(manifest) { world in
            _ = try await Self.template(world)
            let failure = try await Self.failure(of: "for n in 1 2 3; do \(child) & done; wait; echo all", world)
            #expect(failure.message.contains("its processes keep"), "\(failure)")
        }
    }

    @Test("is refused calls under its own name: the log has the invocation")
    func refusals() async throws {
        try await World.with(Self.manifest()) { world in
            _ = try await Self.template(world)
            for _ in 0..<3 {
                let id = InvocationID()
                let script = "perl -e 'print syscall(\(SystemCall.ptrace), 0, 0, 0, 0) == 0 ? 1 : \"$!\"'"
                #expect(try await Self.shell(script, world, id: id) == "Operation not permitted")
                let isLogged = await eventually {
                    world.lines.all.contains { $0.text == "sandbox: refused ptrace" && $0.invocation == id }
                }
                #expect(isLogged)
            }
        }
    }

    @Test("makes no children of the host")
    func siblings() async throws {
        try await World.with(Self.manifest()) { world in
            _ = try await Self.template(world)
            let script = """
                perl -e 'my $id = syscall(\(SystemCall.clone), 0x8011, 0, 0, 0, 0); exit if $id == 0; \
                print $id > 0 ? "made" : "$!"'
                """
            for _ in 0..<5 { #expect(try await Self.shell(script, world) == "Operation not permitted") }
        }
    }

    @Test("is known to the host as its own, and its end is noticed, when it is a copy")
    func ends() async throws {
        try await World.with(Self.manifest()) { world in
            _ = try await Self.template(world)
            #expect(try await world.failure(of: "/crash").message.contains("killed by SIGKILL"))
            #expect(try await world.failure(of: "/exit", query: "status=7").message.contains("exit status 7"))
            #expect(try await world.failure(of: "/ignore-term", time: .milliseconds(50)).code == .timedOut)
            _ = try await world.request("/print", query: "text=by+a+copy")
            let line = await eventually { world.lines.first(.stderr, containing: "by") != nil }
            #expect(line)
            // On a slow machine nobody may have called for so long that the template has gone.
            let isCopy = try await eventually { try await Self.isCopy(world) }
            #expect(isCopy)
        }
    }

    @Test("comes by itself when its template is killed, and then as a copy of another")
    func templateDies() async throws {
        try await World.with(Self.manifest()) { world in
            let killed = try await Self.template(world)
            let processes = Self.children(of: killed)
            #expect(!processes.isEmpty)
            for process in processes { kill(process, SIGKILL) }
            // Until the host has noticed all the ends, a call may be given to one that is dead.
            let isOfAnother = await eventually {
                let template = try? await Self.templateOfCall(world)
                return template != nil && template != killed
            }
            #expect(isOfAnother)
        }
    }

    @Test("is ready before it is needed, and gone when nobody calls")
    func spares() async throws {
        try await World.with(Self.manifest { $0.workers.idle = .seconds(8) }) { world in
            _ = try await world.request("/pid")
            let isReady = await eventually { world.pool.snapshot.workers.contains { $0.state == "idle" } }
            #expect(isReady)
            let hasGone = await eventually { world.pool.snapshot.workers.isEmpty }
            #expect(hasGone)
        }
    }

    /// The template whose temporary directory that is, and its copies: in what they were started with, all have that one.
    private static func children(of folder: String) -> [Int32] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        return names.compactMap { Int32($0) }.filter { process in
            let environment = try? Data(contentsOf: URL(fileURLWithPath: "/proc/\(process)/environ"))
            return environment?.split(separator: 0).contains(Data("APUS_TMPDIR=\(folder)".utf8)) ?? false
        }
    }
}
