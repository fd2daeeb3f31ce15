#if canImport(Glibc)
    import Glibc
#else
    import Musl
#endif

enum RealPath {
    /// Without links; as it stands when it does not exist.
    static func resolve(_ path: String) -> String {
        guard let resolved = realpath(path, nil) else { return path }
        defer { free(resolved) }
        return String(cString: resolved)
    }
}
