import Glibc
import Manifests

/// Where handlers in Python find `apus.py`: in the folder `python` beside the program, as `make build` lays it out, or in
/// the checkout that the program was built in.
enum PythonModule {
    /// Absolute path; `nil` when the module is not installed.
    private static let installed = program.flatMap { folder(of: $0) }

    /// What its workers find on `PYTHONPATH`, and may read: any command that speaks `apus` may be in Python.
    static func folder(for handler: Handler) -> String? {
        handler.contract == .apus && handler.product == nil ? installed : nil
    }

    /// - Parameter program: the absolute path of the running program, without symbolic links.
    static func folder(of program: String) -> String? {
        var folder = parent(program)
        if exists(folder + "/python/apus.py") { return folder + "/python" }
        while folder != "" {
            if exists(folder + "/Runtime/SDK/python/apus.py") { return folder + "/Runtime/SDK/python" }
            folder = parent(folder)
        }
        return nil
    }

    /// The worker's `PYTHONPATH`: what its manifest declares comes first. An empty entry would be the working directory.
    static func path(after declared: String?, folder: String) -> String {
        guard let declared, !declared.isEmpty else { return folder }
        return "\(declared):\(folder)"
    }

    private static func parent(_ path: String) -> String {
        path.lastIndex(of: "/").map { String(path[..<$0]) } ?? ""
    }

    private static func exists(_ path: String) -> Bool { access(path, R_OK) == 0 }

    private static var program: String? {
        guard let path = realpath("/proc/self/exe", nil) else { return nil }
        defer { free(path) }
        return String(cString: path)
    }
}
