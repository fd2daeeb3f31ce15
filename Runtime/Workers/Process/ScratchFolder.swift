import CProcess
import Glibc

/// A folder for as long as something runs.
package enum ScratchFolder {
    /// Runs `body` with the path of a new folder in `TMPDIR`, which is removed afterwards, with all that is in it.
    package static func with<Result>(prefix: String, _ body: (String) async throws -> Result) async throws -> Result {
        let parent = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
        var template = Array("\(parent)/\(prefix)-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else {
            throw CallFailure(.startFailed, "no temporary directory in \(parent): mkdtemp: \(describe(errno))")
        }
        let path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        defer { apus_remove_tree(path) }
        return try await body(path)
    }
}
