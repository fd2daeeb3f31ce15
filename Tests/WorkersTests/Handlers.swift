import Foundation
import Manifests
import Testing

/// A worker of the apus contract, in each language that has an SDK.
struct SDK: Sendable, CustomTestStringConvertible {
    typealias Adjustment = (inout Manifest) -> Void

    let testDescription: String
    private let make: @Sendable ([Trigger], Adjustment) -> Manifest

    func manifest(_ triggers: [Trigger] = [.http(Handlers.anyPath)], _ adjust: Adjustment = { _ in }) -> Manifest {
        make(triggers, adjust)
    }

    static let swift = SDK(testDescription: "Swift") { Handlers.contractWorker($0, $1) }
    static let python = SDK(testDescription: "Python") { Handlers.python(.echo, $0, $1) }
    static let asyncPython = SDK(testDescription: "Python, asynchronous") {
        Handlers.python(.echo, async: true, $0, $1)
    }

    static let all = [swift, python, asyncPython]
    /// Those whose workers run several calls at once.
    static let concurrent = [swift, asyncPython]
}

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

    /// The same, started as the task asks for.
    static func contractWorker(_ task: Contract.Task) -> Manifest {
        contractWorker {
            switch task {
            case .slowStart: $0.environment["CONTRACT_START"] = "slow"
            case .neverReady: $0.environment["CONTRACT_START"] = "never"
            default: break
            }
        }
    }

    /// `server.py`, by the `http` contract.
    static func server(
        _ task: Contract.Task = .echo, _ triggers: [Trigger] = [.http(anyPath)],
        _ adjust: (inout Manifest) -> Void = { _ in }
    ) -> Manifest {
        let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent().path + "/Servers/server.py"
        let command = ["/usr/bin/python3", script] + (task == .ignoreTerm ? ["ignore-term"] : [])
        return manifest(Handler(command: command, contract: .http, directory: "/"), triggers) {
            switch task {
            case .slowStart: $0.environment["SERVER_START"] = "slow"
            case .neverReady: $0.environment["SERVER_START"] = "never"
            default: break
            }
            adjust(&$0)
        }
    }

    /// `Tests/PythonSDKTests/contract_worker.py`, which does the same in Python.
    static func python(
        _ task: Contract.Task = .echo, async: Bool = false, _ triggers: [Trigger] = [.http(anyPath)],
        _ adjust: (inout Manifest) -> Void = { _ in }
    ) -> Manifest {
        let script = repository + "/Tests/PythonSDKTests/contract_worker.py"
        // Through env(1), so that what a test declares as the environment cannot take it away.
        let starts: [Contract.Task: String] = [.slowStart: "CONTRACT_START=slow", .neverReady: "CONTRACT_START=never"]
        let command =
            ["/usr/bin/env"] + (async ? ["CONTRACT_ASYNC=1"] : []) + (starts[task].map { [$0] } ?? [])
            + ["python3", script]
        return manifest(Handler(command: command, contract: .apus, directory: "/"), triggers) {
            // The host finds `apus.py` from its program, and this one is the test runner.
            $0.sandbox.read = [repository + "/Runtime/SDK/python"]
            adjust(&$0)
        }
    }

    private static let repository = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent().path

    /// A shell script, by the `stdio` contract.
    static func shell(
        _ script: String, _ triggers: [Trigger] = [.http(anyPath)], _ adjust: (inout Manifest) -> Void = { _ in }
    ) -> Manifest {
        manifest(Handler(command: ["/bin/sh", "-c", script], contract: .stdio, directory: "/"), triggers, adjust)
    }

    /// A shell script, by the `cgi` contract.
    static func cgi(
        _ script: String, _ triggers: [Trigger] = [.http(anyPath)], _ adjust: (inout Manifest) -> Void = { _ in }
    ) -> Manifest {
        manifest(Handler(command: ["/bin/sh", "-c", script], contract: .cgi, directory: "/"), triggers, adjust)
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
