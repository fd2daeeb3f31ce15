import Admin
import Engine
import Events
import Gateway
import Logging
package import Manifests
import NIOCore
import NIOPosix
import ServiceLifecycle
import Storage
import Telemetry
import Triggers
import UnixSignals
import WorkerAPI
import Workers

/// The composition root: manifests become services, in the order in which they start; they stop in the reverse one.
package struct Host: Sendable {
    private let configuration: HostConfiguration

    package init(_ configuration: HostConfiguration) { self.configuration = configuration }

    /// Serves until SIGTERM or SIGINT, and until what ran then has finished.
    ///
    /// - Throws: `InvalidManifests`, or whatever keeps the host from starting, in words for the operator.
    package func run() async throws {
        let stamps = ManifestStamps(of: configuration.manifests)
        let loaded = ManifestLoader.load(configuration.manifests)
        guard loaded.problems.isEmpty else { throw InvalidManifests(problems: loaded.problems) }
        try requireSandbox()
        let store = try Store(directory: configuration.data, results: configuration.retention.results)
        do {
            try await serve(loaded.manifests, stamps: stamps, store: store)
        } catch {
            // The reason to end is worth more than what closing may say.
            try? store.close()
            throw error
        }
        try store.close()
    }

    private func serve(_ manifests: [Manifest], stamps: ManifestStamps, store: Store) async throws {
        let logs = try HostLogs(directory: configuration.data + "/logs", configuration: configuration)
        defer { logs.flush() }
        let logger = logs.logger
        TemporaryFolders.sweep()
        for lack in SandboxRules.missing(on: .machine) { logger.warning("sandboxes are not whole: \(lack)") }
        let group = MultiThreadedEventLoopGroup(numberOfThreads: configuration.lanes)
        let lanes = group.makeIterator().map { Lane(loop: $0) }

        let engine = InvocationEngine(store: store, logger: logger)
        let directory = AccessDirectory()
        let workerAPI = WorkerAPIServer(directory: directory, group: group, logger: logger)
        let functions = FunctionSet(
            engine: engine, lanes: lanes, maxWorkers: configuration.maxWorkers, directory: directory,
            drain: configuration.drain, output: logs.output)
        let timers = TimerService(store: store, notify: engine.queueChanged, logger: logger)
        let files = FileService(ledger: FileLedger(store: store), notify: engine.queueChanged, logger: logger)
        let gateway = HTTPGateway(
            configuration: gatewayConfiguration(logger), lanes: lanes, respond: engine.respond, logger: logger)
        let reloader = Reloader(
            paths: configuration.manifests, data: configuration.data,
            sandboxes: SandboxRules(data: configuration.data, isFullRequired: configuration.requiresFullSandbox),
            functions: functions, timers: timers, files: files, gateway: gateway, logger: logger)
        let reload: @Sendable () async -> Void = { _ = await reloader.reload() }
        let admin = AdminServer(
            host: configuration.admin.host, port: configuration.admin.port,
            services: AdminServices(
                engine: engine, lane: lanes[0], readiness: { await readiness(of: store, gateway: gateway) },
                logs: logs.source, reload: reloader.reload),
            logger: logger,
            onListening: {
                logger.notice("admin API on http://\(ListenAddress(host: configuration.admin.host, port: $0))")
            })

        // First, so that an address in use is said before anything runs. Clients wait until the services start.
        try await listen(gateway)
        let dispatcher = QueueDispatcher(engine: engine, lanes: lanes, drain: configuration.drain)
        var services: [any Service] = [
            SignalWatcher(
                logger: logger, reload: reload, killWorkers: { await functions.kill() }, flushLogs: logs.flush),
            functions,
            admin,
            Housekeeping(store: store, retention: configuration.retention, logger: logger),
            UntilShutdown(service: dispatcher),
            timers,
            files,
            gateway,
        ]
        if configuration.watch {
            services.append(
                ManifestWatcher(paths: configuration.manifests, loaded: stamps, functions: functions, reload: reload))
        }
        // The last one is told first: while requests are drained, nothing new comes from the queue.
        services.append(ShutdownNotice { dispatcher.stop() })
        try await workerAPI.serving {
            // Only now, since workers are told where the API listens.
            try await reloader.apply(manifests)
            announce(manifests, at: gateway, logger: logger)
            try await run(services, logger: logger)
        }
        try await group.shutdownGracefully()
    }

    private func requireSandbox() throws {
        let missing = SandboxRules.missing(on: .machine)
        guard configuration.requiresFullSandbox, !missing.isEmpty else { return }
        throw StartFailure(
            .sandbox,
            "this machine cannot have all that --require-sandbox full asks for; provide it, or run without the option:\n"
                + missing.joined(separator: "\n"))
    }

    /// Takes the address of the functions, and makes sure that the admin API can have its own.
    private func listen(_ gateway: HTTPGateway) async throws {
        do {
            try await gateway.listen()
        } catch {
            throw StartFailure(.address, "--listen: \(error)")
        }
        do {
            try HTTPGateway.check(host: configuration.admin.host, port: configuration.admin.port)
        } catch {
            throw StartFailure(.address, "--admin: \(error)")
        }
    }

    private func announce(_ manifests: [Manifest], at gateway: HTTPGateway, logger: Logger) {
        let address = gateway.boundAddress
        let listen = ListenAddress(host: configuration.listen.host, port: address?.port ?? configuration.listen.port)
        logger.notice("serves \(manifests.count.functions) on http://\(listen)")
    }

    private func gatewayConfiguration(_ logger: Logger) -> GatewayConfiguration {
        var gateway = GatewayConfiguration()
        let limit = FileLimit.raise()
        gateway.connections = limit.connections(atMost: gateway.connections, beside: configuration.maxWorkers)
        logger.debug("\(gateway.connections) connections at most: the system allows \(limit.files) open files")
        gateway.host = configuration.listen.host
        gateway.port = configuration.listen.port
        gateway.drainTime = configuration.drain
        return gateway
    }

    private func run(_ services: [any Service], logger: Logger) async throws {
        var quiet = logger
        quiet.logLevel = .warning
        var group = ServiceGroupConfiguration(
            services: services, gracefulShutdownSignals: [.sigterm, .sigint], logger: quiet)
        // Each service bounds its own drain; this is for one that does not keep its word.
        group.maximumGracefulShutdownDuration = configuration.drain + .seconds(10)
        try await ServiceGroup(configuration: group).run()
    }
}

/// A service that may be done before its turn in the shutdown comes, which the group would take for a failure.
private struct UntilShutdown: Service {
    let service: any Service

    func run() async throws {
        try await service.run()
        // Cancelled, it has ended as well.
        try? await gracefulShutdown()
    }
}

/// Tells when the shutdown begins.
private struct ShutdownNotice: Service {
    let notify: @Sendable () -> Void

    init(_ notify: @escaping @Sendable () -> Void) { self.notify = notify }

    func run() async throws {
        // Cancelled, the host ends as well.
        try? await gracefulShutdown()
        notify()
    }
}

/// Manifests that cannot be served, with every problem.
package struct InvalidManifests: Error, CustomStringConvertible {
    package let problems: [ManifestProblem]

    package var description: String { problems.map(\.description).joined(separator: "\n") }
}

@Sendable private func readiness(of store: Store, gateway: HTTPGateway) async -> [ReadinessCheck] {
    var storage = ReadinessCheck("store")
    do { _ = try await store.nextDue() } catch { storage.problem = "\(error)" }
    let listening = gateway.boundAddress == nil ? "it does not listen yet" : nil
    return [storage, ReadinessCheck("gateway", problem: listening)]
}
