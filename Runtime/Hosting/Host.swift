import Admin
import Engine
import Events
import Gateway
import Glibc
import Logging
package import Manifests
import NIOCore
import NIOPosix
import ServiceLifecycle
import Storage
import Telemetry
import Threads
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
        EarlyHangup.listen()
        let surroundings = Surroundings.take()
        let sockets = try PassedSockets(surroundings.sockets)
        let stamps = ManifestStamps(of: configuration.manifests)
        let loaded = ManifestLoader.load(configuration.manifests)
        guard loaded.problems.isEmpty else { throw InvalidManifests(problems: loaded.problems) }
        if configuration.requiresFullSandbox { try SandboxRules.require(on: .machine) }
        let store = try Store(
            directory: configuration.data, results: configuration.retention.results, weaknesses: Self.weaknesses)
        do {
            try await serve(loaded, stamps: stamps, store: store, in: surroundings, on: sockets)
        } catch {
            // The reason to end is worth more than what closing may say.
            try? store.close()
            throw error
        }
    }

    private func serve(
        _ loaded: LoadResult, stamps: ManifestStamps, store: Store, in surroundings: Surroundings,
        on sockets: PassedSockets
    ) async throws {
        let logs = try HostLogs(directory: configuration.data + "/logs", configuration: configuration)
        defer { logs.flush() }
        let logger = logs.logger
        TemporaryFolders.sweep()
        for lack in SandboxRules.missing(on: .machine) { logger.warning("sandboxes are not whole: \(lack)") }
        let courtesies = (0..<configuration.lanes).map { _ in LaneCourtesy { store.isBusy } }
        let groups = courtesies.map { MultiThreadedEventLoopGroup(numberOfThreads: 1, metricsDelegate: $0) }
        let lanes = zip(groups, courtesies).map { Lane(loop: $0.next(), courtesy: $1) }
        shortenSlices(of: lanes, logger)
        let supervisor = Supervisor(surroundings.notifySocket.map { NotifySocket(path: $0) }, logger: logger)

        let engine = InvocationEngine(store: store, logger: logger)
        watch(store, engine, logger)
        let directory = AccessDirectory()
        let workerAPI = WorkerAPIServer(directory: directory, logger: logger)
        let functions = FunctionSet(
            engine: engine, lanes: lanes, maxWorkers: configuration.maxWorkers, directory: directory,
            drain: configuration.drain, output: logs.output)
        let timers = TimerService(store: store, notify: engine.queueChanged, logger: logger)
        let grants = GrantWatcher(functions: functions, logger: logger)
        let files = FileService(
            ledger: FileLedger(store: store), prepare: grants.look(at:), notify: engine.queueChanged, logger: logger)
        let gateway = HTTPGateway(
            configuration: gatewayConfiguration(logger, inherited: sockets.functions), lanes: lanes,
            respond: engine.respond(to:body:function:id:on:_:), queue: RequestQueue(engine), logger: logger)
        let reloader = Reloader(
            paths: configuration.manifests, data: configuration.data,
            sandboxes: SandboxRules(data: configuration.data, isFullRequired: configuration.requiresFullSandbox),
            functions: functions, timers: timers, files: files, gateway: gateway, supervisor: supervisor,
            logger: logger)
        let reload: @Sendable () async -> Void = { _ = await reloader.reload() }
        let passed = try sockets.admin.map { try PassedListener($0, logger: logger) }
        let adminAddress = passed.map { ListenAddress(host: $0.host, port: $0.port) } ?? configuration.admin
        let admin = AdminServer(
            host: adminAddress.host, port: adminAddress.port, connections: passed?.connections,
            services: AdminServices(
                engine: engine, lane: lanes[0], readiness: { await readiness(of: store, files, gateway) },
                logs: logs.source, reload: reloader.reload),
            logger: logger,
            onListening: {
                logger.notice("admin API on http://\(ListenAddress(host: adminAddress.host, port: $0))")
                supervisor.ready("serves \(engine.functions.count.functions) on \(gateway.addresses)")
            })

        // First, so that an address in use is said before anything runs. Clients wait until the services start.
        try await listen(gateway, isAdminBound: passed != nil)
        let dispatcher = QueueDispatcher(engine: engine, lanes: lanes, drain: configuration.drain)
        var services: [any Service] = [
            SignalWatcher(
                logger: logger, reload: reload, killWorkers: { await functions.kill() }, flushLogs: logs.flush),
            functions,
            UntilShutdown(service: admin),
            Housekeeping(store: store, retention: configuration.retention, logger: logger),
            UntilShutdown(service: dispatcher),
            timers,
            grants,
            files,
            gateway,
        ]
        // Before the admin API, which ends with it.
        if let passed { services.append(passed) }
        if configuration.watch {
            services.append(
                ManifestWatcher(paths: configuration.manifests, loaded: stamps, functions: functions, reload: reload))
        }
        if let limit = surroundings.watchdog {
            services.append(
                Watchdog(limit: limit, probes: probes(of: lanes, store), supervisor: supervisor, logger: logger))
        }
        // The last one is told first: while requests are drained, nothing new comes from the queue.
        services.append(
            ShutdownNotice { [longest] in
                supervisor.stopping(within: longest)
                dispatcher.stop()
            })
        try await workerAPI.serving {
            // Only now, since workers are told where the API listens.
            try await reloader.apply(loaded)
            announce(loaded.manifests, at: gateway, logger: logger)
            try await run(services, logger: logger)
        }
        for group in groups { try await group.shutdownGracefully() }
        // The data folder is free for the next host before that is said.
        try store.close()
        logger.notice("stopped")
    }

    /// Guarantees that a test of the test harness takes away with the environment variable `APUS_WEAKEN`.
    private static var weaknesses: Set<Weakness> {
        #if DEBUG
            let names = getenv("APUS_WEAKEN").map { String(cString: $0) } ?? ""
            return Set(names.split(separator: ",").compactMap { Weakness(rawValue: String($0)) })
        #else
            return []
        #endif
    }

    /// Says when storage fails and when it is well again, once each; what has waited for it goes on.
    private func watch(_ store: Store, _ engine: InvocationEngine, _ logger: Logger) {
        store.onHealthChange { health in
            switch health {
            case .well:
                logger.notice("storage is well again: changes are taken")
                engine.queueChanged()
            case .failing(let error):
                logger.error(
                    "storage fails, so that nothing that changes state or queue is taken: \(error.message)",
                    metadata: ["error": "\(error)"])
            }
        }
    }

    /// How long a shutdown takes at most; each service bounds its own drain, and this is for one that does not keep its word.
    private var longest: Duration { configuration.drain + .seconds(10) }

    private func probes(of lanes: [Lane], _ store: Store) -> [Watchdog.Probe] {
        [Watchdog.Probe(name: "writer", ask: store.pulse)]
            + lanes.enumerated().map { index, lane in
                Watchdog.Probe(name: "lane \(index)") { try? await lane.loop.submit {}.get() }
            }
    }

    private func shortenSlices(of lanes: [Lane], _ logger: Logger) {
        for lane in lanes {
            lane.loop.execute {
                let code = Slice.short.take()
                if code == 0 { return }
                logger.info(
                    "requests may wait longer for a processor: sched_setattr(2) is refused",
                    metadata: ["error": "\(String(cString: strerror(code)))"])
            }
        }
    }

    /// Takes the address of the functions, and makes sure that the admin API can have its own.
    private func listen(_ gateway: HTTPGateway, isAdminBound: Bool) async throws {
        do {
            try await gateway.listen()
        } catch {
            throw StartFailure(.address, "--listen: \(error)")
        }
        if isAdminBound { return }
        do {
            try HTTPGateway.check(host: configuration.admin.host, port: configuration.admin.port)
        } catch {
            throw StartFailure(.address, "--admin: \(error)")
        }
    }

    private func announce(_ manifests: [Manifest], at gateway: HTTPGateway, logger: Logger) {
        logger.notice("serves \(manifests.count.functions) on \(gateway.addresses)")
    }

    private func gatewayConfiguration(_ logger: Logger, inherited: [Int32]) -> GatewayConfiguration {
        var gateway = GatewayConfiguration()
        let (limit, wanted) = (FileLimit.raise(), gateway.connections)
        gateway.connections = limit.connections(atMost: wanted, beside: configuration.maxWorkers)
        if gateway.connections < wanted {
            logger.warning(
                """
                \(gateway.connections) connections at once, not \(wanted): the system allows \(limit.files) open files \
                (ulimit -Hn; systemd: LimitNOFILE=); more are answered 503
                """)
        }
        gateway.host = configuration.listen.host
        gateway.port = configuration.listen.port
        gateway.inherited = inherited
        gateway.drainTime = configuration.drain
        return gateway
    }

    private func run(_ services: [any Service], logger: Logger) async throws {
        var quiet = logger
        quiet.logLevel = .warning
        var group = ServiceGroupConfiguration(
            services: services, gracefulShutdownSignals: [.sigterm, .sigint], logger: quiet)
        group.maximumGracefulShutdownDuration = longest
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

@Sendable private func readiness(
    of store: Store, _ files: FileService, _ gateway: HTTPGateway
) async -> [ReadinessCheck] {
    var storage = ReadinessCheck("store")
    do { _ = try await store.nextDue() } catch { storage.problem = "\(error)" }
    if let error = store.health.error { storage.problem = error.message }
    let unscanned = files.unscanned.first.map { "the folder of \($0) is being looked through for the first time" }
    return [
        storage, ReadinessCheck("files", problem: unscanned), ReadinessCheck("gateway", problem: gateway.obstacle),
    ]
}

extension HTTPGateway {
    /// Why it takes no new connections.
    fileprivate var obstacle: String? {
        if isDraining { return "the host is stopping" }
        return boundAddresses.isEmpty ? "it does not listen yet" : nil
    }

    /// Where it listens, as URLs.
    fileprivate var addresses: String {
        boundAddresses.map { address in
            "http://\(ListenAddress(host: address.ipAddress ?? "", port: address.port ?? 0))"
        }.joined(separator: " ")
    }
}
