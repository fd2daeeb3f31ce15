import Logging
import ServiceLifecycle
import Synchronization
import UnixSignals

#if canImport(Glibc)
    import Glibc
#else
    import Musl
#endif

/// What the operator says by signal, besides the first SIGTERM or SIGINT, which ends the service group in good order:
/// a second one ends the host at once, SIGHUP reloads.
struct SignalWatcher: Service {
    /// What killed workers get to be gone, when the host ends at once.
    private static let lastMoments = Duration.seconds(1)

    let logger: Logger
    let reload: @Sendable () async -> Void
    let killWorkers: @Sendable () async -> Void
    let flushLogs: @Sendable () -> Void

    func run() async throws {
        await cancelWhenGracefulShutdown {
            var isStopping = false
            let signals = await UnixSignalsSequence(trapping: .sigterm, .sigint, .sighup)
            if EarlyHangup.take() { Task { await reload() } }
            for await signal in signals {
                if signal == .sighup {
                    // Unstructured: a reload that hangs must not keep the next signal from being heard.
                    Task { await reload() }
                } else if isStopping {
                    await stopAtOnce(status: signal == .sigint ? 130 : 143)
                } else {
                    isStopping = true
                    logger.notice("stopping: finishing what runs; a second signal stops at once")
                }
            }
        }
    }

    /// Nothing is lost: what is acknowledged is on disk.
    private func stopAtOnce(status: Int32) async {
        logger.warning("stopping at once; invocations that ran start again with the next host")
        let (over, continuation) = AsyncStream.makeStream(of: Never.self)
        // Unstructured, both: a worker that does not go, or a console that takes nothing, must not keep the host.
        Task {
            await killWorkers()
            flushLogs()
            continuation.finish()
        }
        Task {
            try? await Task.sleep(for: Self.lastMoments)
            continuation.finish()
        }
        for await _ in over {}
        exit(status)
    }
}

/// A SIGHUP that comes before `SignalWatcher` listens: what has been read by then may be older than what the operator means.
enum EarlyHangup {
    private static let hasCome = Atomic<Bool>(false)

    /// To be called first of all, since it ends a process that does not listen.
    static func listen() {
        // A handler may touch it, but not make it.
        _ = take()
        signal(SIGHUP) { _ in EarlyHangup.hasCome.store(true, ordering: .relaxed) }
    }

    /// Whether one has come since the last time.
    static func take() -> Bool { hasCome.exchange(false, ordering: .relaxed) }
}
