import Engine
import Logging
import Manifests
import ServiceLifecycle
import Workers

/// The running set: which functions there are, and the life of their pools.
///
/// Reloading replaces what has changed and leaves alone what has not: workers of an unchanged function stay warm.
actor FunctionSet: Service {
    /// For a request whose route led to a function that is gone by the time its body is there.
    private static let farewell = Duration.seconds(10)

    /// A reload waits for new workers so long; then calls wait for them.
    private static let longestStart = Duration.seconds(30)

    fileprivate struct Member {
        var function: HostedFunction
        var handler: HandlerStamp?
        /// Keeps the pool's warm workers until it is drained.
        var keeper: Task<Void, Never>
    }

    private let engine: InvocationEngine
    private let lanes: [Lane]
    private let budget: WorkerBudget
    private let directory: AccessDirectory
    private let drain: Duration
    private let output: WorkerOutput
    private var members: [String: Member] = [:]
    /// Pools that are not of the running set: of functions that were replaced or removed and still have calls, and of those
    /// that are about to run.
    private var besides: [ObjectIdentifier: Pool] = [:]
    /// What is running is the last set.
    private var isStopping = false

    init(
        engine: InvocationEngine, lanes: [Lane], maxWorkers: Int, directory: AccessDirectory, drain: Duration,
        output: @escaping WorkerOutput
    ) {
        self.engine = engine
        self.lanes = lanes
        self.directory = directory
        self.drain = drain
        self.output = output
        budget = WorkerBudget(limit: maxWorkers)
    }

    /// A set that is to run next.
    struct Successor: Sendable {
        fileprivate var members: [String: Member] = [:]
        fileprivate var change: SetChange
    }

    /// Makes what is new of a set of `manifests`. A function whose workers run now gets new ones first, so that no call
    /// waits for their start, or fails because they do not.
    ///
    /// - Throws: `StartFailure` when such a function's new workers do not start; then nothing has changed.
    func prepare(_ manifests: [Manifest]) async throws -> Successor {
        var next = Successor(change: SetChange(functions: manifests.count))
        guard !isStopping else { return next }
        var handovers: [(old: Pool, new: Member)] = []
        for manifest in manifests {
            let handler = HandlerStamp(of: manifest.handler)
            let member = members[manifest.name]
            if let member, member.function.manifest == manifest, member.handler == handler {
                next.members[manifest.name] = member
                continue
            }
            let new = start(manifest, handler: handler)
            besides[ObjectIdentifier(new.function.pool)] = new.function.pool
            next.members[manifest.name] = new
            next.change.note(manifest.name, isNew: member == nil)
            if let member { handovers.append((member.function.pool, new)) }
        }
        let failures = await warmUp(handovers)
        guard failures.isEmpty else {
            discard(next)
            throw StartFailure(.manifests, failures.sorted().joined(separator: "\n"))
        }
        return next
    }

    /// Makes `next` the running set. Invocations that run finish on the workers that they have.
    ///
    /// - Parameter route: leads requests to the new set; called when it is there, and before anything of the old one goes.
    /// - Returns: what is different now.
    @discardableResult
    func apply(_ next: Successor, route: @Sendable () -> Void) -> SetChange {
        guard !isStopping else {
            discard(next)
            return next.change
        }
        var change = next.change
        let replaced = members.filter { next.members[$0.key]?.function !== $0.value.function }
        let gone = replaced.filter { next.members[$0.key] == nil }
        change.removed = gone.keys.sorted()
        members = next.members
        for member in members.values { besides[ObjectIdentifier(member.function.pool)] = nil }
        engine.replace(functions: members.values.map(\.function), leaving: gone.values.map(\.function))
        route()
        for (name, member) in replaced { retire(member, after: gone[name] == nil ? .zero : Self.farewell) }
        return change
    }

    /// Gives up what was prepared and does not run.
    func discard(_ next: Successor) {
        for (name, member) in next.members where members[name]?.function !== member.function {
            retire(member, after: .zero)
        }
    }

    /// Returns why workers do not start, one line a function.
    private func warmUp(_ handovers: [(old: Pool, new: Member)]) async -> [String] {
        await withTaskGroup(of: String?.self) { group in
            for (old, new) in handovers {
                let pool = new.function.pool
                let count = old.snapshot.workers.count
                guard count > 0 else { continue }
                group.addTask {
                    await pool.warmUp(count, within: Self.longestStart).map {
                        "function '\(pool.manifest.name)' has changed, and its new workers do not start: \($0)"
                    }
                }
            }
            return await group.reduce(into: [String]()) { if let failure = $1 { $0.append(failure) } }
        }
    }

    /// What the programs of the running set were when it was applied, by function.
    var handlersApplied: [String: HandlerStamp] { members.compactMapValues(\.handler) }

    /// What the programs of the running set are now, by function; those that are gone are left out.
    var handlersOnDisk: [String: HandlerStamp] {
        members.compactMapValues { HandlerStamp(of: $0.function.manifest.handler) }
    }

    /// Waits for the shutdown, then drains every pool.
    func run() async throws {
        try? await gracefulShutdown()
        await stop(within: drain)
    }

    /// Takes no more calls and ends every worker, those that run calls too.
    func kill() async {
        for pool in pools { pool.stop() }
        await stop(within: .zero)
    }

    /// All that may have workers.
    var pools: [Pool] { members.values.map(\.function.pool) + besides.values }

    func pool(of function: String) -> Pool? { members[function]?.function.pool }

    private func stop(within limit: Duration) async {
        isStopping = true
        await withTaskGroup { group in
            for pool in pools { group.addTask { await pool.drain(within: limit) } }
        }
        for member in members.values { member.keeper.cancel() }
    }

    private func start(_ manifest: Manifest, handler: HandlerStamp?) -> Member {
        let pool = Pool(manifest: manifest, lanes: lanes, budget: budget, directory: directory, output: output)
        let function = HostedFunction(manifest: manifest, pool: pool) { [engine] in engine.queueChanged() }
        // It lives as long as the function does, which is not the life of any one caller.
        return Member(function: function, handler: handler, keeper: Task { await pool.run() })
    }

    /// Lets the calls of a function that is gone have the time that they were promised.
    ///
    /// - Parameter time: for as long, requests that were routed before may still come.
    private func retire(_ member: Member, after time: Duration) {
        let function = member.function
        let pool = function.pool
        let limit = max(drain, function.manifest.limits.time)
        besides[ObjectIdentifier(pool)] = pool
        // Unstructured: a reload does not wait for the calls of the set before; the shutdown does, through `besides`.
        Task {
            if time > .zero {
                // Nobody cancels it.
                try? await Task.sleep(for: time)
                engine.forget(function)
            }
            // The shutdown drains it, and may be past the end of its lanes.
            guard !isStopping else { return }
            await pool.drain(within: limit)
            member.keeper.cancel()
            besides[ObjectIdentifier(pool)] = nil
        }
    }
}

/// What a reload has made different.
struct SetChange: Sendable, Equatable {
    /// How many there are now.
    var functions: Int
    var added: [String] = []
    /// The manifest or the handler is another.
    var changed: [String] = []
    var removed: [String] = []

    mutating func note(_ name: String, isNew: Bool) {
        if isNew { added.append(name) } else { changed.append(name) }
    }
}
