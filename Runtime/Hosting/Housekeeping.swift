import Events
import Logging
import ServiceLifecycle
import Storage

/// Removes what nobody asks for any more, so that the data folder stays bounded.
///
/// It looks often, because the bound on rows has to hold under constant load; where there is nothing to remove, a look
/// is a few reads of an index for each function.
struct Housekeeping: Service {
    private static let interval = Duration.seconds(10)
    /// Instants of timers are few and small.
    private static let roundsBetweenInstants = 60

    let store: Store
    let retention: Retention
    let logger: Logger

    func run() async throws {
        await cancelWhenGracefulShutdown {
            var round = 0
            repeat {
                await runOnce(now: .now(), withInstants: round % Self.roundsBetweenInstants == 0)
                round += 1
            } while (try? await Task.sleep(for: Self.interval)) != nil
        }
    }

    func runOnce(now: WallTime, withInstants: Bool) async {
        do {
            let removed = try await store.prune(retention, now: now)
            if removed.done > 0 { logger.debug("removed \(removed.done) done invocations") }
            if removed.dead > 0 { logger.notice("removed \(removed.dead) dead letters past their bounds") }
            let expired = try await store.pruneIdempotentResponses(now: now)
            if expired > 0 { logger.debug("removed \(expired) responses whose idempotency keys have expired") }
            if withInstants { try await store.pruneInstants() }
        } catch {
            logger.warning("what has ended or expired cannot be removed: \(error)")
        }
    }
}
