#if canImport(Glibc)
    import Glibc
#else
    import Musl
#endif

package enum RealPath {
    /// Without links, since rules bind to what they lead to; as it stands when it does not exist.
    package static func resolve(_ path: String) -> String {
        guard let resolved = realpath(path, nil) else { return path }
        defer { free(resolved) }
        return String(cString: resolved)
    }

    /// The same of a regular file; `nil` when there is none.
    static func file(_ path: String) -> String? {
        var status = stat()
        guard stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
        return resolve(path)
    }
}
