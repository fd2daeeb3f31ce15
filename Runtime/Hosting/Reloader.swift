import Gateway
import Logging
import Manifests
import Triggers

/// Makes what the manifests declare the running set: everything is validated first, and on any problem nothing changes.
actor Reloader {
    private let paths: [String]
    private let functions: FunctionSet
    private let timers: TimerService
    private let files: FileService
    private let gateway: HTTPGateway
    private let logger: Logger

    init(
        paths: [String], functions: FunctionSet, timers: TimerService, files: FileService, gateway: HTTPGateway,
        logger: Logger
    ) {
        self.paths = paths
        self.functions = functions
        self.timers = timers
        self.files = files
        self.gateway = gateway
        self.logger = logger
    }

    /// Returns what is wrong, one line a problem.
    func reload() async -> [String] {
        let loaded = ManifestLoader.load(paths)
        var problems = loaded.problems.map(\.description)
        if problems.isEmpty {
            do {
                try await apply(loaded.manifests)
                logger.notice("reloaded: \(loaded.manifests.count) functions")
            } catch {
                problems = ["\(error)"]
            }
        }
        for problem in problems { logger.error("not reloaded, the functions stay as they were: \(problem)") }
        return problems
    }

    /// Workers first, then what calls them, so that no call meets a function that is not there yet.
    func apply(_ manifests: [Manifest]) async throws {
        try await timers.update(manifests)
        await functions.apply(manifests)
        try await files.update(manifests)
        gateway.update(manifests)
    }
}
