import CProcess
import Glibc
import Manifests

/// What every worker may read of the machine.
enum SystemFiles {
    private static let folders = [
        "/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/opt", "/nix/store", "/gnu/store",
        "/proc", "/sys/devices/system", "/sys/fs/cgroup", "/sys/kernel/mm/transparent_hugepage",
        "/run/systemd/resolve", "/run/resolvconf",
    ]
    private static let devices = [
        "/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom",
    ]
    /// Folders of `/etc` are looked at this deep for what not every user may read.
    private static let depth = 3

    static let readRights = UInt64(
        APUS_RIGHT_EXECUTE.rawValue | APUS_RIGHT_READ_FILE.rawValue | APUS_RIGHT_READ_DIRECTORY.rawValue)
    private static let deviceRights = UInt64(
        APUS_RIGHT_READ_FILE.rawValue | APUS_RIGHT_WRITE_FILE.rawValue | APUS_RIGHT_TRUNCATE.rawValue
            | APUS_RIGHT_DEVICE_CONTROL.rawValue)

    /// Open for good, since every start needs them.
    static let rules: [(descriptor: Int32, rights: UInt64)] = {
        let paths = folders.map { ($0, readRights) } + etc.map { ($0, readRights) } + devices.map { ($0, deviceRights) }
        return paths.compactMap { path, rights in
            // Not every machine has all.
            let descriptor = apus_open_path(path)
            return descriptor < 0 ? nil : (descriptor, rights)
        }
    }()

    /// Whether what is at `path` may be read by every worker.
    static func cover(_ path: String) -> Bool { folders.contains { AbsolutePath.covers($0, path) } }

    /// Of `/etc`: all of it for a user whom its permissions bind; for root, what every user may read.
    private static var etc: [String] {
        guard geteuid() == 0 else { return ["/etc"] }
        return Carving(hidden: privateEntries(of: "/etc", depth: depth)).pieces(of: "/etc")
    }

    private static func privateEntries(of folder: String, depth: Int) -> [String] {
        var entries: [String] = []
        for name in FolderListing.names(in: folder) {
            let path = folder + "/" + name
            var status = stat()
            guard lstat(path, &status) == 0 else { continue }
            let kind = status.st_mode & S_IFMT
            let needed = kind == S_IFDIR ? S_IROTH | S_IXOTH : S_IROTH
            if kind != S_IFLNK, status.st_mode & needed != needed {
                entries.append(path)
            } else if kind == S_IFDIR, depth > 1 {
                entries += privateEntries(of: path, depth: depth - 1)
            }
        }
        return entries
    }
}

/// Grants of folders without what is hidden in them: such a folder falls into the entries that hide nothing. What comes
/// into it later is in none of them.
package struct Carving {
    package let hidden: [String]

    package init(hidden: [String]) { self.hidden = hidden }

    package func pieces(of path: String) -> [String] {
        if hidden.contains(where: { AbsolutePath.covers($0, path) }) { return [] }
        guard hidden.contains(where: { AbsolutePath.covers(path, $0) }) else { return [path] }
        let folder = path == "/" ? "" : path
        return FolderListing.names(in: path).sorted().flatMap { pieces(of: folder + "/" + $0) }
    }
}

/// Names in folders, without Foundation's cost.
enum FolderListing {
    static func names(in path: String) -> [String] {
        guard let folder = opendir(path) else { return [] }
        defer { closedir(folder) }
        var names: [String] = []
        while let entry = readdir(folder) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) {
                String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names
    }
}
