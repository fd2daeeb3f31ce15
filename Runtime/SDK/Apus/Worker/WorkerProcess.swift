// `stdout` and `stderr` are plain C globals: only the main thread touches them here, before and after the calls.
@preconcurrency import Glibc

/// The process around a worker's loop: its socket, its exit status.
enum WorkerProcess {
    /// Where the host leaves the socket.
    private static let descriptor: Int32 = 3

    static func run(_ make: () throws -> any Function) -> Never {
        // Standard output is a pipe to the host's log: without this, lines would wait for a full buffer.
        setvbuf(stdout, nil, _IOLBF, 0)
        guard isSocket(descriptor) else { end(EX_USAGE, usage) }
        // What the handler starts must not hold the socket open.
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        let ending: WorkerEnding
        do {
            ending = try serve(try make())
        } catch {
            end(EX_SOFTWARE, "the function cannot start: \(describe(error))")
        }
        switch ending {
        case .goodbye: exit(EX_OK)
        // Calls may still be running, on other threads too; nothing of them is wanted any more.
        case .hostGone: _exit(EX_OK)
        case .violation(let what): end(EX_PROTOCOL, "the host broke the worker protocol: \(what)")
        }
    }

    private static func serve(_ function: any Function) throws -> WorkerEnding {
        var saidHello = false
        if Template.isPossible {
            switch try Template.begin(on: descriptor, triggers: Handlers(function).triggers) {
            case .worker: saidHello = true
            case .instance: _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
            case .done: return .goodbye
            case .violation(let what): return .violation(what)
            }
        }
        return try WorkerLoop(function, socket: descriptor).run(saidHello: saidHello)
    }

    private static let usage = """
        This is a function for Apus: a host starts it and talks to it over a socket.
        Name it in a manifest and run 'apus serve', or try it with 'apus invoke NAME'.
        """

    private static func isSocket(_ descriptor: Int32) -> Bool {
        var domain: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        return getsockopt(descriptor, SOL_SOCKET, SO_DOMAIN, &domain, &length) == 0 && domain == AF_UNIX
    }

    private static func end(_ status: Int32, _ message: String) -> Never {
        fputs(message + "\n", stderr)
        exit(status)
    }
}
