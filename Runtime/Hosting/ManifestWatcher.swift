import Manifests
import ServiceLifecycle

/// `--watch`: reloads when a manifest or a handler's program has changed. For development.
///
/// It looks rather than listens: a few files, a few times a second, and editors that replace files cannot escape it.
struct ManifestWatcher: Service {
    private static let interval = Duration.milliseconds(300)

    private struct Look: Equatable {
        var manifests: ManifestStamps
        var handlers: [String: HandlerStamp]
        /// Why the manifests cannot be served, where the last ones could not: it may lie in what they name, such as a program
        /// that has not been built yet.
        var problems: [String] = []
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
                let now = await look(withProblems: !applied.problems.isEmpty)
                // What still changes is still being written.
                if now != applied, now == last {
                    applied = now
                    applied.problems = problems
                    await reload()
                }
                last = now
            }
        }
    }

    private func look(withProblems: Bool) async -> Look {
        let stamps = ManifestStamps(of: paths)
        return Look(manifests: stamps, handlers: await functions.handlersOnDisk, problems: withProblems ? problems : [])
    }

    private var problems: [String] { ManifestLoader.load(paths).problems.map(\.description) }
}
