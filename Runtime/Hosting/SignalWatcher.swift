import Logging
import ServiceLifecycle
import UnixSignals

#if canImport(Glibc)
    import Glibc
#else
    import Musl
#endif

/// What the operator says by signal, besides the first SIGTERM or SIGINT, which ends the service group in good order:
/// a second one ends the host at once, SIGHUP reloads.
struct SignalWatcher: Service {
    let logger: Logger
    let reload: @Sendable () async -> Void

    func run() async throws {
        await cancelWhenGracefulShutdown {
            var isStopping = false
            for await signal in await UnixSignalsSequence(trapping: .sigterm, .sigint, .sighup) {
                if signal == .sighup {
                    await reload()
                } else if isStopping {
                    logger.warning("stopping at once; invocations that ran start again with the next host")
                    // Nothing is lost: what is acknowledged is on disk, and the kernel ends the workers with their host.
                    exit(signal == .sigint ? 130 : 143)
                } else {
                    isStopping = true
                    logger.notice("stopping: finishing what runs; a second signal stops at once")
                }
            }
        }
    }
}
