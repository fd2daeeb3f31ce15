import ServiceLifecycle

/// `--watch`: reloads when a manifest or a handler's program has changed. For development.
///
/// It looks rather than listens: a few files, a few times a second, and editors that replace files cannot escape it.
struct ManifestWatcher: Service {
    private static let interval = Duration.milliseconds(300)

    private struct Look: Equatable {
        var manifests: ManifestStamps
        var handlers: [String: HandlerStamp]
    }

    let paths: [String]
    /// What the manifests were before they were loaded, so that no edit since then is missed.
    let loaded: ManifestStamps
    let functions: FunctionSet
    let reload: @Sendable () async -> Void

    func run() async throws {
        await cancelWhenGracefulShutdown {
            var applied = Look(manifests: loaded, handlers: await functions.handlersApplied)
            var last = applied
            while (try? await Task.sleep(for: Self.interval)) != nil {
                let now = await look()
                // What still changes is still being written.
                if now != applied, now == last {
                    applied = now
                    await reload()
                }
                last = now
            }
        }
    }

    private func look() async -> Look {
        Look(manifests: ManifestStamps(of: paths), handlers: await functions.handlersOnDisk)
    }
}
