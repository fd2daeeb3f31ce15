import CProcess
import Glibc
import Manifests
import NIOCore
import NIOPosix

/// What happens on the spawning thread, and what bounds the process from then on.
extension HandlerProcess {
    func spawn(
        _ more: [String: String], _ endpoints: Endpoints, _ filter: FilterKind?,
        _ wire: () throws(CallFailure) -> Wiring
    ) throws(CallFailure) -> (WorkerProcess, Wiring, ControlGroup?) {
        if let refusal = SandboxSupport.machine.refusal(of: manifest.sandbox, needsPorts: endpoints != .none) {
            throw CallFailure(.startFailed, refusal)
        }
        let surroundings = try WorkerEnvironment(manifest, worker: number)
        let group = controlGroup()
        do throws(CallFailure) {
            let bounds = try Bounds(
                filter: filter, ruleset: FilePlan.shared.ruleset(for: manifest, surroundings, endpoints, on: .machine),
                group: group)
            defer { bounds.close() }
            var wiring = try wire()
            admit(surroundings.mark, endpoints)
            do throws(CallFailure) {
                let process = try spawn(surroundings, more, wiring, bounds)
                wiring.closeWorkerEnds()
                return (process, wiring, group)
            } catch {
                wiring.closeAll()
                throw error
            }
        } catch {
            _ = SandboxGuard.shared.dismiss(surroundings.mark.value)
            Self.remove(surroundings, group)
            throw error
        }
    }

    private func spawn(
        _ surroundings: WorkerEnvironment, _ more: [String: String], _ wiring: Wiring, _ bounds: Bounds
    ) throws(CallFailure) -> WorkerProcess {
        let plan = Spawner.Plan(
            command: manifest.handler.command, directory: manifest.handler.directory,
            environment: surroundings.variables.merging(more) { _, new in new },
            memory: isMemoryBounded ? manifest.limits.memory : 0, descriptors: wiring.worker,
            mark: surroundings.mark, filter: bounds.filter, ruleset: bounds.ruleset,
            controlGroup: bounds.controlGroup)
        return try Spawner.shared.spawn(plan) { [self, group = bounds.group] exit in
            let reason = group?.ranOutOfMemory == true ? memoryExcess("the kernel ended it: its processes took") : nil
            Self.remove(surroundings, group)
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
    private func admit(_ mark: WorkerMark, _ endpoints: Endpoints) {
        let active = SandboxSupport.machine.active(for: manifest.sandbox)
        guard manifest.sandbox.enabled else { return }
        SandboxGuard.shared.admit(
            mark.value, processes: active.contains(.processes) ? manifest.limits.processes : nil,
            network: manifest.sandbox.network.rawValue,
            connect: manifest.sandbox.network == .none ? Set(endpoints.connect) : nil
        ) { [self] line in
            lane.loop.execute { self.emit(.host, level: "warning", text: line, invocation: self.currentInvocation()) }
        }
    }

    private var isMemoryBounded: Bool { !manifest.sandbox.lifted.contains(.memory) }

    private func controlGroup() -> ControlGroup? {
        guard isMemoryBounded else { return nil }
        return ControlGroups.machine?.worker(
            manifest.name, number, memory: manifest.limits.memory,
            processes: manifest.sandbox.enabled ? manifest.limits.processes : nil)
    }

    /// Ends the process when it, with all that it has started, keeps more than it may.
    func watchMemory(of process: WorkerProcess) {
        guard isMemoryBounded else { return }
        MemoryWatch.shared.add(process.mark, pid: process.pid, limit: manifest.limits.memory) { [self] bytes in
            let reason = memoryExcess("its processes keep \(bytes >> 20) MiB,")
            lane.loop.execute {
                self.say("warning", "worker killed: \(reason)")
                self.kill(because: reason)
            }
        }
    }

    private func memoryExcess(_ what: String) -> String {
        "\(what) more than \(manifest.limits.memory >> 20) MiB (limits.memory)"
    }
}

/// What a new process is put under.
private struct Bounds {
    var filter: FilterKind?
    /// Landlock's ruleset and `cgroup.procs`; -1 for none.
    var ruleset: Int32
    var controlGroup: Int32
    var group: ControlGroup?

    init(filter: FilterKind?, ruleset: Int32, group: ControlGroup?) {
        self.filter = filter
        self.ruleset = ruleset
        self.group = group
        controlGroup = group?.openForJoining() ?? -1
    }

    /// The process has what it needs of them.
    func close() {
        for descriptor in [ruleset, controlGroup] where descriptor >= 0 { Glibc.close(descriptor) }
    }
}
