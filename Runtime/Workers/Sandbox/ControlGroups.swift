import Glibc
package import Manifests
import Synchronization

/// A part of the control groups of version 2 (cgroups(7)) that has been given to the host, such as by `Delegate=yes` in
/// its systemd unit: in it, each function has a group with an equal share of the processor, and in that each worker one
/// with bounds that the kernel holds for all its processes.
package struct ControlGroups: Sendable {
    /// `nil` on a machine where the host has been given none.
    package static let machine: ControlGroups? = {
        let membership = text(of: "/proc/self/cgroup") ?? ""
        guard let mount = mountPoint(in: text(of: "/proc/self/mountinfo") ?? ""),
            let groups = ControlGroups(mount: mount, membership: membership, process: getpid())
        else { return nil }
        return groups.takeOver() ? groups : nil
    }()

    /// Held while the group of a function comes or goes, so that it does not go where a worker is about to come.
    private static let functions = Mutex(())

    private let folder: String
    private let controllers: [String]
    private let process: Int32

    /// Looks, and changes nothing.
    ///
    /// - Parameters:
    ///   - mount: where the file system of version 2 is.
    ///   - membership: what `/proc/self/cgroup` says.
    ///   - process: the host.
    package init?(mount: String, membership: String, process: Int32) {
        guard let path = membership.split(separator: "\n").first(where: { $0.hasPrefix("0::/") })?.dropFirst(3) else {
            return nil
        }
        folder = mount + (path == "/" ? "" : path)
        self.process = process
        let known = Self.text(of: folder + "/cgroup.controllers")?.split(whereSeparator: \.isWhitespace).map(
            String.init)
        controllers = ["memory", "pids", "cpu"].filter { known?.contains($0) ?? false }
        let members = Self.text(of: folder + "/cgroup.procs")?.split(separator: "\n")
        // Where somebody else is too, it is not the host's own.
        guard controllers.contains("memory"), members == ["\(process)"], access(folder, W_OK) == 0,
            access(folder + "/cgroup.subtree_control", W_OK) == 0
        else { return nil }
    }

    /// Moves the host into a leaf, since a group that has processes can have no groups with controllers.
    package func takeOver() -> Bool {
        let own = folder + "/host"
        guard Self.make(own), Self.write("\(process)", to: own + "/cgroup.procs") else { return false }
        return Self.write(enabled, to: folder + "/cgroup.subtree_control")
    }

    private var enabled: String { controllers.map { "+" + $0 }.joined(separator: " ") }

    /// Whether the processes of a worker are bounded in number.
    package var boundProcesses: Bool { controllers.contains("pids") }
    /// Whether functions have equal shares of the processor.
    package var shareProcessor: Bool { controllers.contains("cpu") }

    /// Whether a function's workers have groups. A template's copies have a bound for each, which no group has.
    package func hold(_ manifest: Manifest) -> Bool {
        manifest.workers.instance == .reuse && !manifest.sandbox.lifted.contains(.memory)
    }

    /// Makes the group of a worker.
    ///
    /// - Parameters:
    ///   - memory: bytes; swap is none.
    ///   - processes: `nil` for no bound.
    /// - Returns: `nil` when the kernel refuses.
    package func worker(_ function: String, _ number: Int, memory: Int64, processes: Int?) -> ControlGroup? {
        let parent = folder + "/function-" + function
        let group = ControlGroup(folder: "\(parent)/worker-\(number)-\(UInt32.random(in: 0 ... .max))")
        let isMade = Self.functions.withLock { _ in
            Self.make(parent) && Self.write(enabled, to: parent + "/cgroup.subtree_control") && Self.make(group.folder)
        }
        guard isMade, Self.write("\(memory)", to: group.folder + "/memory.max") else {
            group.remove()
            return nil
        }
        // Not every kernel has swap, or these.
        _ = Self.write("0", to: group.folder + "/memory.swap.max")
        _ = Self.write("1", to: group.folder + "/memory.oom.group")
        if let processes, boundProcesses {
            _ = Self.write("\(processes)", to: group.folder + "/pids.max")
        }
        return group
    }

    /// Of the file system of version 2, from the text of `/proc/self/mountinfo` (proc(5)).
    package static func mountPoint(in mounts: String) -> String? {
        for line in mounts.split(separator: "\n") {
            let sides = line.split(separator: " - ")
            guard sides.count == 2, sides[1].hasPrefix("cgroup2 ") else { continue }
            let fields = sides[0].split(separator: " ")
            if fields.count > 4 { return String(fields[4]) }
        }
        return nil
    }

    /// Does nothing while workers are in it.
    fileprivate static func removeFunction(_ folder: String) { functions.withLock { _ in _ = rmdir(folder) } }

    private static func make(_ folder: String) -> Bool { mkdir(folder, 0o755) == 0 || errno == EEXIST }

    static func write(_ text: String, to path: String) -> Bool {
        // The kernel has made the files with the folder; a test's folder gets them here.
        let file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o644)
        guard file >= 0 else { return false }
        defer { close(file) }
        return text.utf8.withContiguousStorageIfAvailable { Glibc.write(file, $0.baseAddress, $0.count) == $0.count }
            ?? false
    }

    static func text(of path: String) -> String? {
        guard let file = fopen(path, "re") else { return nil }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        while case let byte = fgetc(file), byte != EOF { bytes.append(UInt8(truncatingIfNeeded: byte)) }
        return String(decoding: bytes, as: UTF8.self)
    }
}

/// The control group of one worker.
package struct ControlGroup: Sendable {
    package let folder: String

    /// Opens what a process writes itself into to join; -1 when that fails. To be closed by the caller.
    package func openForJoining() -> Int32 { open(folder + "/cgroup.procs", O_WRONLY | O_CREAT | O_CLOEXEC, 0o644) }

    /// Whether the kernel has ended it for want of memory.
    package var ranOutOfMemory: Bool {
        let events = ControlGroups.text(of: folder + "/memory.events") ?? ""
        return events.split(separator: "\n").contains { $0.hasPrefix("oom_kill ") && $0 != "oom_kill 0" }
    }

    /// Ends what is left in it (Linux 5.14), and removes it, and its function's when it was the last. Blocks.
    package func remove() {
        _ = ControlGroups.write("1", to: folder + "/cgroup.kill")
        // What was killed takes a moment to be gone.
        for _ in 0..<100 where rmdir(folder) != 0 && errno == EBUSY { usleep(1000) }
        ControlGroups.removeFunction(String(folder[..<(folder.lastIndex(of: "/") ?? folder.startIndex)]))
    }
}
