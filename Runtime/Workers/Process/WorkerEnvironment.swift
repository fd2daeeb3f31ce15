import CProcess
import Glibc
import Manifests
import NIOPosix

/// What a worker finds around it: a clean environment and a temporary directory of its own.
struct WorkerEnvironment {
    private static let localeNames = ["LANG", "LC_ALL", "LC_CTYPE"]
    private static let standardPath = "/usr/local/bin:/usr/bin:/bin"

    /// Absolute path; removed by `remove()`.
    let temporaryDirectory: String
    var variables: [String: String]

    private let shelf: FolderShelf?
    private let isTemplate: Bool

    /// - Parameters:
    ///   - worker: its number within the host, from 1; 0 for a template.
    ///   - shelf: may have a temporary directory, and gets this one.
    init(_ manifest: Manifest, worker: Int, shelf: FolderShelf? = nil) throws(CallFailure) {
        self.shelf = shelf
        isTemplate = worker == 0
        if let kept = shelf?.take() {
            temporaryDirectory = kept
        } else {
            temporaryDirectory = try Self.makeTemporaryDirectory()
            shelf?.add(temporaryDirectory)
        }
        var variables = ["PATH": getenv("PATH").map { String(cString: $0) } ?? Self.standardPath]
        // UTF-8 without LANG=C.UTF-8, which says no more but has programs open twelve files as they start.
        if Self.localeNames.allSatisfy({ manifest.environment[$0] == nil }) { variables["LC_CTYPE"] = "C.UTF-8" }
        // The zone of the machine, said aloud (tzset(3)), unless the host was given another.
        variables["TZ"] = getenv("TZ").map { String(cString: $0) } ?? ":/etc/localtime"
        variables.merge(manifest.environment) { _, declared in declared }
        if let folder = PythonModule.folder(for: manifest.handler) {
            variables["PYTHONPATH"] = PythonModule.path(after: manifest.environment["PYTHONPATH"], folder: folder)
        }
        variables.merge(Self.folders(manifest, temporaryDirectory)) { _, folder in folder }
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

    /// Of the host's user.
    static var home: String { getenv("HOME").map { String(cString: $0) } ?? "/" }

    /// What differs in the environment of a template's copy.
    ///
    /// - Parameter folder: the copy's temporary directory.
    static func ofCopy(_ manifest: Manifest, worker: Int, folder: String) -> [String: String] {
        var variables = folders(manifest, folder)
        variables["APUS_WORKER"] = String(worker)
        return variables
    }

    private static func folders(_ manifest: Manifest, _ folder: String) -> [String: String] {
        // In the sandbox, the home of the host's user is none of a worker's business.
        let home = manifest.sandbox.enabled ? folder : home
        return [
            "HOME": manifest.environment["HOME"] ?? home, "TMPDIR": manifest.environment["TMPDIR"] ?? folder,
            "APUS_TMPDIR": folder,
        ]
    }

    var mark: WorkerMark {
        let mark = WorkerMark(temporaryDirectory: temporaryDirectory)
        return isTemplate ? mark.ofTemplate : mark
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

    static var parent: String { getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp" }

    /// Removes those whose host was killed before it could, and ends what still runs of their workers: the kernel has
    /// ended the leaders with their host (`PR_SET_PDEATHSIG`), but not what they had started. Blocks.
    package static func sweep() {
        for name in FolderListing.names(in: parent) where isOrphan(name) {
            let folder = "\(parent)/\(name)"
            // Others may have made folders of that name.
            guard isOwn(folder) else { continue }
            WorkerMark(temporaryDirectory: folder).killFamily()
            apus_remove_tree(folder)
        }
    }

    private static func isOrphan(_ name: String) -> Bool {
        guard name.hasPrefix(prefix), let host = pid_t(name.dropFirst(prefix.count).prefix { $0 != "-" }) else {
            return false
        }
        return kill(host, 0) == -1 && errno == ESRCH
    }

    private static func isOwn(_ folder: String) -> Bool {
        var status = stat()
        return lstat(folder, &status) == 0 && status.st_uid == geteuid()
    }
}
