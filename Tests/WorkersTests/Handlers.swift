import Foundation
import Manifests

/// Programs that tests run as handlers.
enum Handlers {
    /// Where SwiftPM puts products: beside the test bundle.
    static var products: URL {
        let executable = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
        let bundle = CommandLine.arguments.first { $0.hasSuffix(".xctest") }.map { URL(fileURLWithPath: $0) }
        return (bundle ?? executable).deletingLastPathComponent()
    }

    /// `Tests/ContractWorker`, by the `apus` contract.
    static func contractWorker(
        _ triggers: [Trigger] = [.http(anyPath)], _ adjust: (inout Manifest) -> Void = { _ in }
    ) -> Manifest {
        let path = products.appendingPathComponent("ContractWorker").path
        return manifest(Handler(command: [path], contract: .apus, directory: "/"), triggers, adjust)
    }

    /// A shell script, by the `stdio` contract.
    static func shell(
        _ script: String, _ triggers: [Trigger] = [.http(anyPath)], _ adjust: (inout Manifest) -> Void = { _ in }
    ) -> Manifest {
        manifest(Handler(command: ["/bin/sh", "-c", script], contract: .stdio, directory: "/"), triggers, adjust)
    }

    /// A shell script in place of an `apus` worker.
    static func impostor(_ script: String, _ adjust: (inout Manifest) -> Void = { _ in }) -> Manifest {
        manifest(
            Handler(command: ["/bin/bash", "-c", script], contract: .apus, directory: "/"), [.http(anyPath)], adjust)
    }

    static let anyPath = HTTPTrigger(path: RoutePattern(segments: [.rest("path")], description: "/{path*}"))

    static func manifest(
        _ handler: Handler, _ triggers: [Trigger], _ adjust: (inout Manifest) -> Void
    ) -> Manifest {
        var manifest = Manifest(name: "contract", handler: handler, triggers: triggers)
        manifest.limits.time = .seconds(30)
        manifest.limits.wait = .seconds(30)
        adjust(&manifest)
        return manifest
    }
}
