import Logging
import ServiceLifecycle
import Synchronization

/// Gives signs of life as long as the host really works: each part of it that could be stuck is asked again and again, and
/// the sign is only given when all have answered what they were asked before. A host that lives but serves nobody is so
/// ended and started anew by its service manager.
///
/// An error is an answer: on a full disk the host works, and another would fare no better.
struct Watchdog: Service {
    /// A part of the host, and a question that it answers when it works.
    struct Probe: Sendable {
        let name: String
        let ask: @Sendable () async -> Void
    }

    private let interval: Duration
    private let probes: [Probe]
    private let supervisor: Supervisor
    private let logger: Logger
    /// Those that have not answered yet. Each is asked one question at a time.
    private let silent = Silent()

    /// - Parameter limit: without a sign for so long, the host is ended. Four signs fit into it, so that a part may take
    ///   most of it to answer.
    init(limit: Duration, probes: [Probe], supervisor: Supervisor, logger: Logger) {
        interval = limit / 4
        self.probes = probes
        self.supervisor = supervisor
        self.logger = logger
    }

    func run() async throws {
        await cancelWhenGracefulShutdown {
            var before: [String] = []
            ask()
            while (try? await Task.sleep(for: interval)) != nil { before = look(before) }
        }
    }

    /// Gives the sign unless somebody is silent, and asks again. Returns who is.
    ///
    /// - Parameter before: who was at the last look.
    func look(_ before: [String]) -> [String] {
        let silent = self.silent.names
        if silent.isEmpty {
            supervisor.alive()
            if !before.isEmpty { logger.notice("all parts of the host answer again") }
        } else if silent != before {
            logger.critical("no answer from \(silent.joined(separator: ", ")): no sign of life for the watchdog")
            supervisor.stuck(silent)
        }
        ask()
        return silent
    }

    func ask() {
        for probe in probes where silent.insert(probe.name) {
            // Unstructured: one that never answers must not keep the others.
            Task { [silent] in
                await probe.ask()
                silent.remove(probe.name)
            }
        }
    }

    private final class Silent: Sendable {
        private let state = Mutex<Set<String>>([])

        var names: [String] { state.withLock { $0.sorted() } }
        func insert(_ name: String) -> Bool { state.withLock { $0.insert(name).inserted } }
        func remove(_ name: String) { _ = state.withLock { $0.remove(name) } }
    }
}
