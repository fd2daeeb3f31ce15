import CProcess
import Glibc
import Manifests
import NIOPosix

/// What a worker finds around it: a clean environment and a temporary directory of its own.
struct WorkerEnvironment {
    private static let inherited = ["PATH", "HOME"]
    private static let localeNames = ["LANG", "LC_ALL", "LC_CTYPE"]
    private static let standardPath = "/usr/local/bin:/usr/bin:/bin"

    /// Absolute path; removed by `remove()`.
    let temporaryDirectory: String
    var variables: [String: String]

    private let shelf: FolderShelf?

    /// - Parameters:
    ///   - worker: its number within the host, from 1.
    ///   - shelf: may have a temporary directory, and gets this one.
    init(_ manifest: Manifest, worker: Int, shelf: FolderShelf? = nil) throws(CallFailure) {
        self.shelf = shelf
        if let kept = shelf?.take() {
            temporaryDirectory = kept
        } else {
            temporaryDirectory = try Self.makeTemporaryDirectory()
            shelf?.add(temporaryDirectory)
        }
        var variables = ["PATH": Self.standardPath, "HOME": "/"]
        // UTF-8 without LANG=C.UTF-8, which says no more but has programs open twelve files as they start.
        if Self.localeNames.allSatisfy({ manifest.environment[$0] == nil }) { variables["LC_CTYPE"] = "C.UTF-8" }
        for name in Self.inherited {
            if let value = getenv(name) { variables[name] = String(cString: value) }
        }
        // The zone of the machine, said aloud (tzset(3)), unless the host was given another.
        variables["TZ"] = getenv("TZ").map { String(cString: $0) } ?? ":/etc/localtime"
        variables.merge(manifest.environment) { _, declared in declared }
        if manifest.handler.contract == .apus, manifest.handler.product == nil, let folder = PythonModule.folder {
            variables["PYTHONPATH"] = PythonModule.path(after: manifest.environment["PYTHONPATH"], folder: folder)
        }
        variables["TMPDIR"] = manifest.environment["TMPDIR"] ?? temporaryDirectory
        variables[TemporaryFolders.mark] = temporaryDirectory
        variables["APUS_FUNCTION"] = manifest.name
        variables["APUS_WORKER"] = String(worker)
        variables["APUS_CONTRACT"] = manifest.handler.contract.rawValue
        self.variables = variables
    }

    /// Removes the temporary directory and what is in it, on a thread that may block, or gives it back to its shelf.
    func remove() {
        if let shelf { return shelf.putBack(temporaryDirectory) }
        NIOThreadPool.singleton.submit { [temporaryDirectory] _ in apus_remove_tree(temporaryDirectory) }
    }

    private static var parent: String { TemporaryFolders.parent }

    private static func makeTemporaryDirectory() throws(CallFailure) -> String {
        var template = Array("\(parent)/\(TemporaryFolders.prefix)\(getpid())-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else {
            throw CallFailure(.startFailed, "no temporary directory in \(parent): mkdtemp: \(describe(errno))")
        }
        return String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}

/// The temporary directories of all hosts on this machine; each has its host's process id in its name.
package enum TemporaryFolders {
    static let prefix = "apus-worker-"
    /// The environment variable by which a worker's processes are known, whatever TMPDIR its manifest sets.
    static let mark = "APUS_TMPDIR"

    static var parent: String { getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp" }

    /// Removes those whose host was killed before it could, and ends what still runs of their workers: the kernel has
    /// ended the leaders with their host (`PR_SET_PDEATHSIG`), but not what they had started. Blocks.
    package static func sweep() {
        let orphans = names(in: parent).filter(isOrphan).map { "\(parent)/\($0)" }
        guard !orphans.isEmpty else { return }
        let processes = names(in: "/proc").compactMap { pid_t($0) }
        for folder in orphans {
            for process in processes { _ = apus_kill_if_in_environment(process, "\(mark)=\(folder)") }
            apus_remove_tree(folder)
        }
    }

    private static func isOrphan(_ name: String) -> Bool {
        guard name.hasPrefix(prefix), let host = pid_t(name.dropFirst(prefix.count).prefix { $0 != "-" }) else {
            return false
        }
        return kill(host, 0) == -1 && errno == ESRCH
    }

    private static func names(in path: String) -> [String] {
        guard let folder = opendir(path) else { return [] }
        defer { closedir(folder) }
        var names: [String] = []
        while let entry = readdir(folder) {
            names.append(
                withUnsafeBytes(of: &entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) })
        }
        return names
    }
}
