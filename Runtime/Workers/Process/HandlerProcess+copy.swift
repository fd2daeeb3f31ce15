import Glibc
import Manifests
import NIOCore
import NIOPosix
import Wire

/// Starting a process as a copy of one that is loaded.
extension HandlerProcess {
    /// As `start`, but in a copy of `template`, under the same limits and sandbox. To be called on the lane.
    func start(
        asCopyOf template: Template, started: @escaping @Sendable (Wiring) -> Void,
        failed: @escaping @Sendable (CallFailure) -> Void, exited: @escaping @Sendable (ProcessExit) -> Void
    ) {
        onExit = exited
        template.lane.run { [self] in
            do throws(CallFailure) {
                try ask(template, started: started, failed: failed)
            } catch {
                lane.run { failed(error) }
            }
        }
    }

    /// On the template's lane.
    private func ask(
        _ template: Template, started: @escaping @Sendable (Wiring) -> Void,
        failed: @escaping @Sendable (CallFailure) -> Void
    ) throws(CallFailure) {
        let folder = "\(template.folder)/\(number)"
        guard mkdir(folder, 0o700) == 0 else {
            throw CallFailure(.startFailed, "no temporary directory \(folder): mkdir: \(Workers.describe(errno))")
        }
        let wiring: Wiring
        do throws(CallFailure) {
            wiring = try Wiring.frames()
        } catch {
            FolderShelf.remove(folder)
            throw error
        }
        let environment = WorkerEnvironment.ofCopy(manifest, worker: number, folder: folder)
            .map { WireField($0.key, $0.value) }
        let places = (wiring.worker.3, wiring.worker.1, wiring.worker.2)
        template.copy(UInt32(truncatingIfNeeded: number), environment: environment, descriptors: places) {
            [self] copy in
            var wiring = wiring
            wiring.closeWorkerEnds()
            do throws(CallFailure) {
                let process = try takeOver(try copy.get(), of: template, folder)
                lane.run { [self, wiring] in
                    watch(process)
                    hasStarted(process, wiring, started)
                }
            } catch {
                wiring.closeAll()
                FolderShelf.remove(folder)
                lane.run { failed(error) }
            }
        }
    }

    private func takeOver(_ pid: Int32, of template: Template, _ folder: String) throws(CallFailure) -> WorkerProcess {
        let mark = template.mark.ofCopy(UInt32(truncatingIfNeeded: number))
        admit(mark, .none)
        let pidfd: Int32
        do throws(CallFailure) {
            pidfd = try template.give(pid, mark)
        } catch {
            _ = SandboxGuard.shared.dismiss(mark)
            throw error
        }
        refusals.hasStarted(pid)
        let process = WorkerProcess(pid: pid, mark: mark)
        let error = ExitWatch.shared.add(process, pidfd: pidfd) { [self] exit in
            FolderShelf.remove(folder)
            lane.loop.execute { self.hasEnded(exit) }
        }
        guard error == 0 else {
            process.signalGroup(SIGKILL)
            _ = process.reap()
            close(pidfd)
            throw CallFailure(.startFailed, "cannot watch a copy of a worker: \(Workers.describe(error))")
        }
        return process
    }
}
