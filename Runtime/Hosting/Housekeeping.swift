import Events
import Logging
import ServiceLifecycle
import Storage

/// Removes what nobody asks for any more, so that the data folder stays bounded.
struct Housekeeping: Service {
    private static let interval = Duration.seconds(600)
    /// How long a done invocation can be looked at.
    private static let kept = Duration.seconds(86_400)

    let store: Store
    let logger: Logger

    func run() async throws {
        await cancelWhenGracefulShutdown {
            repeat {
                await runOnce(now: .now())
            } while (try? await Task.sleep(for: Self.interval)) != nil
        }
    }

    func runOnce(now: WallTime) async {
        do {
            let removed = try await store.prune(doneBefore: now.advanced(by: .zero - Self.kept))
            if removed > 0 { logger.debug("removed \(removed) invocations that were done a day ago") }
            let expired = try await store.pruneIdempotentResponses(now: now)
            if expired > 0 { logger.debug("removed \(expired) responses whose idempotency keys have expired") }
        } catch {
            logger.warning("done invocations and expired responses cannot be removed: \(error)")
        }
    }
}
