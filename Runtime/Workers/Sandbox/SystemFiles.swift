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
    /// Of `/etc`, what programs and their libraries look for everywhere, and no secrets.
    private static let configuration = [
        "alternatives", "bash.bashrc", "ca-certificates", "ca-certificates.conf", "crypto-policies", "debian_version",
        "fonts", "gai.conf", "gitconfig", "group", "host.conf", "hostname", "hosts", "inputrc", "ld.so.cache",
        "ld.so.conf", "ld.so.conf.d", "ld.so.preload", "locale.alias", "localtime", "magic", "mime.types", "networks",
        "nsswitch.conf", "os-release", "passwd", "perl", "pki/ca-trust", "pki/tls/certs", "profile", "protocols",
        "resolv.conf", "services", "shells", "ssl/certs", "ssl/openssl.cnf", "terminfo", "timezone",
    ]

    static let readRights = UInt64(
        APUS_RIGHT_EXECUTE.rawValue | APUS_RIGHT_READ_FILE.rawValue | APUS_RIGHT_READ_DIRECTORY.rawValue)
    static let listRights = UInt64(APUS_RIGHT_READ_DIRECTORY.rawValue)
    private static let deviceRights = UInt64(
        APUS_RIGHT_READ_FILE.rawValue | APUS_RIGHT_WRITE_FILE.rawValue | APUS_RIGHT_TRUNCATE.rawValue
            | APUS_RIGHT_DEVICE_CONTROL.rawValue)

    /// Open for good, since every start needs them. Their paths are without links.
    static let rules: [(path: String, descriptor: Int32, rights: UInt64)] = {
        let paths = folders.map { ($0, readRights) } + etc.map { ($0, readRights) } + devices.map { ($0, deviceRights) }
        return paths.compactMap { path, rights in
            // Not every machine has all.
            let descriptor = apus_open_path(path)
            guard descriptor >= 0 else { return nil }
            return (RealPath.resolve(path), descriptor, apus_fitting_rights(descriptor, rights))
        }
    }()

    /// Whether what is at `path` may be read by every worker to which nothing is hidden there.
    static func cover(_ path: String) -> Bool { folders.contains { AbsolutePath.covers($0, path) } }

    /// Whether what is at `path` came with the system, for all to use. Below `/opt`, administrators put what they like.
    static func isInstalled(_ path: String) -> Bool { cover(path) && !AbsolutePath.covers("/opt", path) }

    /// All of `/etc` for a user whom its permissions bind. For root, whom they do not, a part: each rule costs every start
    /// of a worker nearly 1 µs, so that all of it but its secrets would take half as long as the start itself.
    private static var etc: [String] { geteuid() == 0 ? configuration.map { "/etc/" + $0 } : ["/etc"] }
}
