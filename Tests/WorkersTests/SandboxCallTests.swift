import Foundation
import Manifests
import Support
import Testing
import Workers

/// Every class of system calls that no handler needs: each is tried, refused and logged; where the protection is lifted,
/// it is the kernel who answers.
@Suite("The system calls of a sandbox", .serialized, .timeLimit(.minutes(2)))
struct SandboxCallTests {
    struct Attempt: Sendable {
        let name: String
        /// On x86_64, and on aarch64.
        let numbers: (Int, Int)
        var arguments = "0, 0, 0, 0, 0, 0"
        var error = "Operation not permitted"
        var isLogged = true
        /// It would do something where it is allowed.
        var isHarmful = false

        init(
            _ name: String, _ intel: Int, _ arm: Int, _ arguments: String = "0, 0, 0, 0, 0, 0",
            error: String = "Operation not permitted", isLogged: Bool = true, isHarmful: Bool = false
        ) {
            self.name = name
            numbers = (intel, arm)
            self.arguments = arguments
            self.error = error
            self.isLogged = isLogged
            self.isHarmful = isHarmful
        }

        var number: Int {
            #if arch(x86_64)
                numbers.0
            #else
                numbers.1
            #endif
        }
    }

    struct Class: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let attempts: [Attempt]
    }

    static let classes = [
        Class(
            testDescription: "the kernel itself",
            attempts: [
                Attempt("kexec_load", 246, 104, isHarmful: true), Attempt("kexec_file_load", 320, 294, isHarmful: true),
                Attempt("init_module", 175, 105), Attempt("finit_module", 313, 273), Attempt("delete_module", 176, 106),
                Attempt("bpf", 321, 280), Attempt("perf_event_open", 298, 241), Attempt("userfaultfd", 323, 282),
                Attempt("syslog", 103, 116), Attempt("reboot", 169, 142, isHarmful: true),
                Attempt("acct", 163, 89, isHarmful: true), Attempt("vhangup", 153, 58, isHarmful: true),
            ]),
        Class(
            testDescription: "keys and messages that know no processes",
            attempts: [
                Attempt("add_key", 248, 217), Attempt("request_key", 249, 218), Attempt("keyctl", 250, 219),
                Attempt("shmget", 29, 194), Attempt("shmat", 30, 196, isHarmful: true),
                Attempt("msgget", 68, 186, isHarmful: true), Attempt("msgsnd", 69, 189, isHarmful: true),
                Attempt("msgrcv", 70, 188, isHarmful: true), Attempt("semget", 64, 190),
                Attempt("semop", 65, 193, isHarmful: true), Attempt("mq_open", 240, 180),
            ]),
        Class(
            testDescription: "other processes",
            attempts: [
                Attempt("process_vm_readv", 310, 270), Attempt("process_vm_writev", 311, 271),
                Attempt("kcmp", 312, 272), Attempt("pidfd_getfd", 438, 438), Attempt("process_madvise", 440, 440),
            ]),
        Class(
            testDescription: "files past their paths, and mounts",
            attempts: [
                Attempt("open_by_handle_at", 304, 265), Attempt("fanotify_init", 300, 262),
                Attempt("umount2", 166, 39), Attempt("pivot_root", 155, 41), Attempt("chroot", 161, 51),
                Attempt("move_mount", 429, 429), Attempt("open_tree", 428, 428), Attempt("fsopen", 430, 430),
                Attempt("fsmount", 432, 432), Attempt("swapon", 167, 224), Attempt("swapoff", 168, 225),
                Attempt("quotactl", 179, 60),
            ]),
        Class(
            testDescription: "namespaces, and clocks and names of the machine",
            attempts: [
                Attempt("setns", 308, 268), Attempt("unshare", 272, 97, "0x10000000"),
                // CLONE_NEWUSER and SIGCHLD.
                Attempt("clone", 56, 220, "0x10000011, 0, 0, 0, 0"),
                Attempt("clone3", 435, 435, error: "Function not implemented", isLogged: false),
                Attempt("settimeofday", 164, 170, isHarmful: true),
                Attempt("clock_settime", 227, 112), Attempt("adjtimex", 159, 171),
                Attempt("sethostname", 170, 161, isHarmful: true),
            ]),
        Class(
            testDescription: "ways around the filter",
            attempts: [Attempt("io_uring_setup", 425, 425, isLogged: false)]),
    ]

    @Test("are refused, and the log names them", arguments: classes)
    func refused(_ calls: Class) async throws {
        try await World.with(Self.manifest(calls.attempts)) { world in
            let text = try await world.request("/").text()
            #expect(text == calls.attempts.map { "\($0.name): \($0.error)\n" }.joined())
            for attempt in calls.attempts where attempt.isLogged {
                let isLogged = await eventually {
                    world.lines.all.contains { $0.text == "sandbox: refused \(attempt.name)" }
                }
                #expect(isLogged, "nothing of \(attempt.name)")
            }
        }
    }

    @Test("are the kernel's business where the protection is lifted", arguments: classes)
    func lifted(_ calls: Class) async throws {
        let attempts = calls.attempts.filter { !$0.isHarmful }
        try await World.with(Self.manifest(attempts) { $0.sandbox.lifted = [.calls] }) { world in
            let text = try await world.request("/").text()
            #expect(text.split(separator: "\n").count == attempts.count, "\(text)")
            #expect(!text.contains("clone3: Function not implemented"))
            // Landlock may refuse a program files.
            let refusals = world.lines.all.filter { $0.source == .host && $0.text.hasPrefix("sandbox: refused") }
            #expect(refusals.filter { !$0.text.hasPrefix("sandbox: refused to ") }.map(\.text) == [])
        }
    }

    @Test("make no shared memory, which would outlive the worker", arguments: [true, false])
    func sharedMemory(_ isProtected: Bool) async throws {
        // IPC_PRIVATE, and IPC_RMID.
        let script = "my $id = shmget(0, 4096, 0600); print defined $id ? shmctl($id, 0, 0) && 'made' : \"$!\""
        let manifest = Handlers.perl(script) {
            if !isProtected { $0.sandbox.lifted = [.calls] }
        }
        #expect(try await World.text(of: manifest) == (isProtected ? "Operation not permitted" : "made"))
    }

    #if arch(x86_64)
        @Test("have no other names: those of x32 and of 32-bit programs")
        func otherNames() async throws {
            let getpid = 0x4000_0000 + 39
            let named = Handlers.perl("print syscall(\(getpid)) > 0 ? 'made' : \"$!\"")
            #expect(try await World.text(of: named) == "Function not implemented")
            // getpid by `int 0x80`.
            let script = """
                import ctypes, mmap
                page = mmap.mmap(-1, 4096, prot=7)
                page.write(b"\\xb8\\x14\\x00\\x00\\x00\\xcd\\x80\\xc3")
                print(ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))())
                """
            var manifest = Handlers.shell("")
            manifest.handler.command = ["/usr/bin/python3", "-c", script]
            #expect(try await World.text(of: manifest) == "-1\n")
        }
    #endif

    /// Makes each call, and says how that went.
    private static func manifest(_ attempts: [Attempt], _ adjust: (inout Manifest) -> Void = { _ in }) -> Manifest {
        let lines = attempts.map { attempt in
            """
            $! = 0; $result = syscall(\(attempt.number), \(attempt.arguments));
            POSIX::_exit(0) if $$ != $own; print "\(attempt.name): $!\\n";
            """
        }
        let script = "use POSIX (); $own = $$;\n" + lines.joined(separator: "\n")
        return Handlers.perl(script, adjust)
    }
}
