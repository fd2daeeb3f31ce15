import Foundation
import Manifests
import Support
import Testing
import Workers

/// On a folder that looks like a delegated part of the control groups.
@Suite("Control groups of version 2") struct ControlGroupTests {
    @Test("are found in the list of mounts, beside those of version 1")
    func mounts() {
        let mounts = """
            31 23 0:27 / /sys/fs/cgroup/memory rw,relatime shared:12 - cgroup cgroup rw,memory
            32 23 0:28 / /sys/fs/cgroup/unified rw,relatime shared:13 - cgroup2 cgroup2 rw,nsdelegate
            """
        #expect(ControlGroups.mountPoint(in: mounts) == "/sys/fs/cgroup/unified")
        #expect(ControlGroups.mountPoint(in: "") == nil)
    }

    @Test("are the host's when they have the memory controller and nobody else in them")
    func delegation() async throws {
        try await withGroups { mount, own in
            func found(_ membership: String = "1:cpu:/\n0::/apus.service\n") -> Bool {
                ControlGroups(mount: mount, membership: membership, process: 42) != nil
            }
            #expect(found())
            #expect(!found("1:cpu:/\n"))
            #expect(!found("0::/other.service\n"))
            try "42\n43\n".write(toFile: own + "/cgroup.procs", atomically: false, encoding: .utf8)
            #expect(!found())
            try "42\n".write(toFile: own + "/cgroup.procs", atomically: false, encoding: .utf8)
            try "cpu hugetlb\n".write(toFile: own + "/cgroup.controllers", atomically: false, encoding: .utf8)
            #expect(!found())
        }
    }

    @Test("hold each worker in one with its bounds, below one of its function; the host is in a leaf")
    func worker() async throws {
        try await withGroups { mount, own in
            func text(_ path: String) -> String? { try? String(contentsOfFile: path, encoding: .utf8) }
            let groups = try #require(ControlGroups(mount: mount, membership: "0::/apus.service", process: 42))
            #expect(groups.takeOver())
            #expect(text(own + "/host/cgroup.procs") == "42")
            #expect(text(own + "/cgroup.subtree_control") == "+memory +pids")
            let group = try #require(groups.worker("orders", 7, memory: 1 << 20, processes: 16))
            #expect(group.folder.hasPrefix(own + "/function-orders/worker-7-"))
            #expect(text(own + "/function-orders/cgroup.subtree_control") == "+memory +pids")
            #expect(text(group.folder + "/memory.max") == "1048576")
            #expect(text(group.folder + "/memory.swap.max") == "0")
            #expect(text(group.folder + "/memory.oom.group") == "1")
            #expect(text(group.folder + "/pids.max") == "16")
            #expect(!group.ranOutOfMemory)
            try "low 0\noom 1\noom_kill 2\n".write(
                toFile: group.folder + "/memory.events", atomically: false, encoding: .utf8)
            #expect(group.ranOutOfMemory)
            let descriptor = group.openForJoining()
            #expect(descriptor >= 0)
            close(descriptor)
            group.remove()
            #expect(text(group.folder + "/cgroup.kill") == "1")
        }
    }

    @Test("without the controller of processes, those are not bounded; with that of the processor, functions share it")
    func controllers() async throws {
        try await withGroups { mount, own in
            func text(_ path: String) -> String? { try? String(contentsOfFile: path, encoding: .utf8) }
            try "cpu memory\n".write(toFile: own + "/cgroup.controllers", atomically: false, encoding: .utf8)
            let groups = try #require(ControlGroups(mount: mount, membership: "0::/apus.service", process: 42))
            #expect(groups.takeOver())
            #expect(text(own + "/cgroup.subtree_control") == "+memory +cpu")
            #expect([groups.boundProcesses, groups.shareProcessor] == [false, true])
            let group = try #require(groups.worker("orders", 7, memory: 1 << 20, processes: 16))
            #expect(text(group.folder + "/pids.max") == nil)
            #expect(text(own + "/function-orders/cgroup.subtree_control") == "+memory +cpu")
        }
    }

    @Test("are what the report says holds a function's workers, where they do")
    func report() async throws {
        try await withGroups { mount, own in
            func details(_ manifest: Manifest, _ controllers: String?) throws -> [Sandbox.Protection: String] {
                try (controllers ?? "").write(
                    toFile: own + "/cgroup.controllers", atomically: false, encoding: .utf8)
                let groups = ControlGroups(mount: mount, membership: "0::/apus.service", process: 42)
                #expect((groups == nil) == (controllers == nil))
                let report = SandboxSupport.machine.report(on: manifest, in: groups)
                return Dictionary(uniqueKeysWithValues: report.map { ($0.protection, $0.details) })
            }
            let manifest = Handlers.shell("")
            let watched = try details(manifest, nil)
            #expect(watched[.memory] == "RLIMIT_DATA for each process, watched by the host for all of them")
            #expect(watched[.processes] == "counted by the host, ended with their worker")
            let bounded = try details(manifest, "memory pids")
            #expect(bounded[.memory] == "RLIMIT_DATA for each process, a control group for all of them")
            #expect(bounded[.processes] == "bounded by their control group, ended with their worker")
            let shared = try details(manifest, "memory cpu")
            #expect(shared[.memory]?.hasSuffix(", with an equal share of the processor for each function") == true)
            #expect(shared[.processes] == watched[.processes])
            let fresh = Handlers.shell("") { $0.workers.instance = .fresh }
            #expect(try details(fresh, "memory pids cpu") == watched)
        }
    }

    private func withGroups(_ body: (_ mount: String, _ own: String) async throws -> Void) async throws {
        try await withTemporaryFolder { mount in
            let own = mount + "/apus.service"
            try FileManager.default.createDirectory(atPath: own, withIntermediateDirectories: true)
            for (file, text) in [
                ("cgroup.controllers", "memory pids io\n"), ("cgroup.procs", "42\n"), ("cgroup.subtree_control", ""),
            ] {
                try text.write(toFile: own + "/" + file, atomically: false, encoding: .utf8)
            }
            try await body(mount, own)
        }
    }
}
