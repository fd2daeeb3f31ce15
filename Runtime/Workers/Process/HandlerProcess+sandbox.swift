import CProcess
import Glibc
import Manifests
import NIOCore
import NIOPosix

/// What happens on the spawning thread, and what bounds the process from then on.
extension HandlerProcess {
    func spawn(
        _ more: [String: String], _ endpoints: Endpoints, _ filter: FilterKind?, _ grant: AccessGrant?,
        _ calmly: Bool, _ wire: () throws(CallFailure) -> Wiring
    ) throws(CallFailure) -> (WorkerProcess, Wiring, Bounds) {
        let program = manifest.handler.command.first.flatMap(ProgramStamp.init)
        do throws(CallFailure) {
            return try spawnOnce(more, endpoints, filter, grant, calmly, wire)
        } catch {
            // Replaced between its rules, which are for one file and not for a path, and its start.
            guard program != manifest.handler.command.first.flatMap(ProgramStamp.init) else { throw error }
            return try spawnOnce(more, endpoints, filter, grant, calmly, wire)
        }
    }

    private func spawnOnce(
        _ more: [String: String], _ endpoints: Endpoints, _ filter: FilterKind?, _ grant: AccessGrant?,
        _ calmly: Bool, _ wire: () throws(CallFailure) -> Wiring
    ) throws(CallFailure) -> (WorkerProcess, Wiring, Bounds) {
        if let refusal = SandboxSupport.machine.refusal(of: manifest.sandbox, needsPorts: endpoints != .none) {
            throw CallFailure(.startFailed, refusal)
        }
        let surroundings = try WorkerEnvironment(manifest, worker: number, shelf: shelf)
        let group = controlGroup()
        do throws(CallFailure) {
            let ruleset = try FilePlan.shared.ruleset(for: manifest, surroundings, endpoints, on: .machine)
            defer { if ruleset >= 0 { close(ruleset) } }
            let bounds = Bounds(
                folder: surroundings.temporaryDirectory, filter: filter, ruleset: ruleset, group: group, isCalm: calmly)
            var wiring = try wire()
            admit(surroundings.mark, endpoints)
            do throws(CallFailure) {
                let environment = surroundings.variables.merging(more) { _, new in new }
                    .merging(grant?.variables ?? [:]) { _, new in new }
                let process = try spawn(environment, wiring, bounds, surroundings.mark) {
                    grant?.revoke()
                    Self.remove(surroundings, group)
                }
                wiring.closeWorkerEnds()
                return (process, wiring, bounds)
            } catch {
                wiring.closeAll()
                throw error
            }
        } catch {
            _ = SandboxGuard.shared.dismiss(surroundings.mark)
            Self.remove(surroundings, group)
            throw error
        }
    }

    private func spawn(
        _ environment: [String: String], _ wiring: Wiring, _ bounds: Bounds, _ mark: WorkerMark,
        cleanUp: @escaping @Sendable () -> Void
    ) throws(CallFailure) -> WorkerProcess {
        let joining = bounds.group?.openForJoining() ?? -1
        defer { if joining >= 0 { close(joining) } }
        let plan = Spawner.Plan(
            command: manifest.handler.command, directory: manifest.handler.directory, environment: environment,
            memory: isMemoryBounded ? manifest.limits.memory : 0, descriptors: wiring.worker, mark: mark,
            filter: bounds.filter, ruleset: bounds.ruleset, controlGroup: joining,
            isCalm: bounds.isCalm, refusals: refusals)
        return try Spawner.shared.spawn(plan) { [self, group = bounds.group] exit in
            let reason = group?.ranOutOfMemory == true ? memoryExcess("the kernel ended it: its processes took") : nil
            cleanUp()
            lane.loop.execute { self.hasEnded(exit, because: reason) }
        }
    }

    /// Removes what a process had for itself, on a thread that may block.
    private static func remove(_ surroundings: WorkerEnvironment, _ group: ControlGroup?) {
        surroundings.remove()
        guard let group else { return }
        NIOThreadPool.singleton.submit { _ in group.remove() }
    }

    /// Makes the worker known to the one who answers for its filter.
    func admit(_ mark: WorkerMark, _ endpoints: Endpoints) {
        guard manifest.sandbox.enabled else { return }
        SandboxGuard.shared.admit(
            mark, hearsOfLeaving: SandboxSupport.machine.active(for: manifest.sandbox).contains(.processes),
            network: manifest.sandbox.network.rawValue,
            connect: manifest.sandbox.network == .none ? Set(endpoints.connect) : nil, log: refusals)
    }

    /// Its copies have their own bounds.
    private var isTemplate: Bool { number == 0 }

    private var isMemoryBounded: Bool { !manifest.sandbox.lifted.contains(.memory) }

    private func controlGroup() -> ControlGroup? {
        guard let groups = ControlGroups.machine, groups.hold(manifest) else { return nil }
        return groups.worker(
            manifest.name, number, memory: manifest.limits.memory,
            processes: manifest.sandbox.enabled ? manifest.limits.processes : nil)
    }

    /// Ends the process when it, with all that it has started, has more than it may.
    ///
    /// - Parameter group: that bounds it already.
    func watch(_ process: WorkerProcess, _ group: ControlGroup? = nil) {
        guard exit == nil, group == nil else { return }
        let sandbox = manifest.sandbox
        // Copies count as their template's until they are taken over.
        let most = manifest.limits.processes + (isTemplate ? manifest.workers.max : 0)
        let bound = WorkerWatch.Bound(
            processes: sandbox.enabled && !sandbox.lifted.contains(.processes) ? most : nil,
            memory: isMemoryBounded ? manifest.limits.memory : nil)
        WorkerWatch.shared.add(process.pid, process.mark, bound) { [self] excess in
            let reason = text(of: excess)
            lane.loop.execute {
                self.say("warning", "worker killed: \(reason)")
                self.kill(because: reason)
            }
        }
    }

    private func text(of excess: WorkerWatch.Excess) -> String {
        switch excess {
        case .memory(let bytes): memoryExcess("its processes keep \(bytes >> 20) MiB,")
        case .processes(let count):
            "it has \(count) processes and threads, more than \(manifest.limits.processes) (limits.processes)"
        }
    }

    private func memoryExcess(_ what: String) -> String {
        "\(what) more than \(manifest.limits.memory >> 20) MiB (limits.memory)"
    }
}

/// What a new process is put under.
struct Bounds {
    /// Its temporary directory.
    var folder: String
    var filter: FilterKind?
    /// Landlock's; -1 for none. Not open any more after the start.
    var ruleset: Int32
    var group: ControlGroup?
    /// It starts behind all others who want the processors.
    var isCalm: Bool
}
