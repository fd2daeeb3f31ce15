import Logging
import Manifests
import NIOPosix
import ServiceLifecycle
import Workers

/// Replaces workers that may not reach what their manifests grant, since it was made anew after they had started: a folder
/// that was moved away and made again, a link that leads elsewhere, a file that an editor has put in the place of the old one.
struct GrantWatcher: Service {
    private static let interval = Duration.seconds(1)

    private let functions: FunctionSet
    private let logger: Logger
    /// A look may take long where a disk is far away. One thread, since each pool wants one look at a time.
    private let thread = NIOThreadPool(numberOfThreads: 1)

    init(functions: FunctionSet, logger: Logger) {
        self.functions = functions
        self.logger = logger
        thread.start()
    }

    func run() async throws {
        await cancelWhenGracefulShutdown {
            while (try? await Task.sleep(for: Self.interval)) != nil { await look(at: functions.pools) }
        }
        try await thread.shutdownGracefully()
    }

    /// Looks at once, and returns when workers that may not reach what is there get no more calls.
    func look(at function: String) async {
        if let pool = await functions.pool(of: function) { await look(at: [pool]) }
    }

    private func look(at pools: [Pool]) async {
        let pools = pools.filter(\.mayNeedRenewal)
        if pools.isEmpty { return }
        // Refused once the host stops, when nothing new is run either.
        try? await thread.runIfActive { [logger] in
            for pool in pools {
                for path in pool.renew() {
                    logger.notice(
                        "what a granted path leads to was made anew: new workers",
                        metadata: ["function": "\(pool.manifest.name)", "path": "\(path)"])
                }
            }
        }
    }
}
