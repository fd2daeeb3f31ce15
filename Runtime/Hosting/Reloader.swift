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
    private var last: Task<[String], Never>?

    /// - Parameters:
    ///   - paths: of the manifests.
    ///   - data: the data folder, which exists.
    init(
        paths: [String], data: String, sandboxes: SandboxRules, functions: FunctionSet, timers: TimerService,
        files: FileService, gateway: HTTPGateway, logger: Logger
    ) {
        self.paths = paths
        self.data = data
        self.sandboxes = sandboxes
        self.functions = functions
        self.timers = timers
        self.files = files
        self.gateway = gateway
        self.logger = logger
    }

    /// Returns what is wrong, one line a problem.
    func reload() async -> [String] {
        let before = last
        // Unstructured: signals, watching and the admin API reload at any time, but one after the other, so that what
        // runs in the end is what was read last.
        let reload = Task {
            _ = await before?.value
            return await reloadNow()
        }
        last = reload
        return await reload.value
    }

    private func reloadNow() async -> [String] {
        let loaded = ManifestLoader.load(paths)
        var problems = loaded.problems.map(\.description)
        if problems.isEmpty {
            do {
                try await apply(loaded.manifests)
                logger.notice("reloaded: \(loaded.manifests.count.functions)")
            } catch {
                problems = ["\(error)"]
            }
        }
        for problem in problems { logger.error("not reloaded, the functions stay as they were: \(problem)") }
        return problems
    }

    /// Workers first, then what calls them, so that no call meets a function that is not there yet.
    func apply(_ manifests: [Manifest]) async throws {
        let problems = SelfFeeding(manifests, data: data).problems + sandboxes.problems(in: manifests)
        guard problems.isEmpty else { throw StartFailure(.manifests, problems.joined(separator: "\n")) }
        try await timers.update(manifests)
        await functions.apply(sandboxes.applied(to: manifests))
        try await files.update(manifests)
        gateway.update(manifests)
    }
}

extension Int {
    /// So many functions, in words.
    var functions: String { self == 1 ? "1 function" : "\(self) functions" }
}
