import Admin
import Gateway
import Logging
import Manifests
import Triggers

/// Makes what the manifests declare the running set: everything is validated first, and on any problem nothing changes.
actor Reloader {
    private let paths: [String]
    private let data: String
    private let sandboxes: SandboxRules
    private let functions: FunctionSet
    private let timers: TimerService
    private let files: FileService
    private let gateway: HTTPGateway
    private let logger: Logger
    private let supervisor: Supervisor
    private var running: Task<ReloadDocument, Never>?
    /// It has not begun to read.
    private var waiting: Task<ReloadDocument, Never>?

    /// - Parameters:
    ///   - paths: of the manifests.
    ///   - data: the data folder, which exists.
    init(
        paths: [String], data: String, sandboxes: SandboxRules, functions: FunctionSet, timers: TimerService,
        files: FileService, gateway: HTTPGateway, supervisor: Supervisor, logger: Logger
    ) {
        self.paths = paths
        self.data = data
        self.sandboxes = sandboxes
        self.functions = functions
        self.timers = timers
        self.files = files
        self.gateway = gateway
        self.supervisor = supervisor
        self.logger = logger
    }

    /// Reads the manifests and looks at the handlers again, and makes what they are now the running set.
    func reload() async -> ReloadDocument {
        // It will read what is there now.
        if let waiting { return await waiting.value }
        let before = running
        // Unstructured: signals, watching and the admin API reload at any time, but one after the other, so that what
        // runs in the end is what was read last; those that come while one waits share it.
        let reload = Task {
            _ = await before?.value
            return await begin()
        }
        waiting = reload
        return await reload.value
    }

    private func begin() async -> ReloadDocument {
        running = waiting
        waiting = nil
        supervisor.reloading()
        let result = await reloadNow()
        supervisor.reloaded(result.problems.isEmpty ? nil : "not reloaded: \(result.problems[0])")
        return result
    }

    private func reloadNow() async -> ReloadDocument {
        let loaded = ManifestLoader.load(paths)
        var problems = loaded.problems.map(\.description)
        if problems.isEmpty {
            do {
                let change = try await apply(loaded)
                logger.notice("reloaded: \(change)")
                return ReloadDocument(
                    functions: change.functions, added: change.added, changed: change.changed, removed: change.removed)
            } catch {
                problems = "\(error)".split(separator: "\n").map(String.init)
            }
        }
        for problem in problems { logger.error("not reloaded, the functions stay as they were: \(problem)") }
        return ReloadDocument(problems: problems)
    }

    /// What may fail comes first; then functions and routes change at once, so that no request fails for it.
    @discardableResult
    func apply(_ loaded: LoadResult) async throws -> SetChange {
        let manifests = loaded.manifests
        let problems = SelfFeeding(manifests, data: data).problems + sandboxes.problems(in: manifests)
        guard problems.isEmpty else { throw StartFailure(.manifests, problems.joined(separator: "\n")) }
        let next = try await prepare(manifests)
        let change = await functions.apply(next) { [gateway] in gateway.update(manifests) }
        sandboxes.settle(on: manifests)
        for warning in loaded.warnings { logger.warning("\(warning.place): \(warning.message)") }
        try await files.update(manifests)
        return change
    }

    /// Leaves nothing behind where it fails.
    private func prepare(_ manifests: [Manifest]) async throws -> FunctionSet.Successor {
        do {
            let next = try await functions.prepare(sandboxes.applied(to: manifests))
            do {
                try await timers.update(manifests)
            } catch {
                await functions.discard(next)
                throw error
            }
            return next
        } catch {
            sandboxes.revert()
            throw error
        }
    }
}

extension SetChange: CustomStringConvertible {
    var description: String {
        let parts = [("new", added), ("changed", changed), ("gone", removed)].filter { !$0.1.isEmpty }
        let details = parts.map { "\($0): \($1.joined(separator: ", "))" }.joined(separator: "; ")
        return functions.functions + (details.isEmpty ? ", nothing changed" : " (\(details))")
    }
}

extension Int {
    /// So many functions, in words.
    var functions: String { self == 1 ? "1 function" : "\(self) functions" }
}
