import Foundation
import ServiceLifecycle

/// `--watch`: reloads when a manifest or a handler's program has changed. For development.
///
/// It looks rather than listens: a few files, a few times a second, and editors that replace files cannot escape it.
struct ManifestWatcher: Service {
    private static let interval = Duration.milliseconds(300)

    let paths: [String]
    let functions: FunctionSet
    let reload: @Sendable () async -> Void

    func run() async throws {
        await cancelWhenGracefulShutdown {
            var applied = await look()
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

    private struct Look: Equatable {
        var manifests: [String: Stamp]
        var handlers: [String: HandlerStamp]
    }

    private func look() async -> Look { Look(manifests: stamps(), handlers: await functions.handlersOnDisk) }

    private struct Stamp: Equatable {
        var modified: Date?
        var size: Int?
    }

    private func stamps() -> [String: Stamp] {
        var stamps: [String: Stamp] = [:]
        for path in paths {
            let url = URL(fileURLWithPath: path)
            let inside = try? FileManager.default.contentsOfDirectory(at: url, includingPropertiesForKeys: nil)
            for file in inside ?? [url] where ["yaml", "yml"].contains(file.pathExtension) {
                let attributes = try? FileManager.default.attributesOfItem(atPath: file.path)
                stamps[file.path] = Stamp(
                    modified: attributes?[.modificationDate] as? Date, size: attributes?[.size] as? Int)
            }
        }
        return stamps
    }
}
