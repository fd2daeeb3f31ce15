package import Events
import Glibc
package import Manifests

/// Where a CGI program is: in the paths that clients ask for, and on the disk.
package struct CGIScript: Sendable {
    private let routes: RouteTable
    /// What the manifest declares; it wins over what the host would say.
    let declared: [String: String]
    /// `DOCUMENT_ROOT`: below it, as far as the program is concerned, is what `PATH_INFO` names.
    let root: String
    /// `SCRIPT_FILENAME`
    let file: String

    package init(_ manifest: Manifest) {
        let handler = manifest.handler
        routes = RouteTable([manifest])
        declared = manifest.environment
        root = manifest.environment["DOCUMENT_ROOT"] ?? handler.directory
        file = Self.file(handler.command, in: handler.directory)
    }

    /// `SCRIPT_NAME` and `PATH_INFO` of a request: the first is the literal segments that its route begins with, the
    /// second all that comes after them. Both are decoded, and joined they are the path.
    package func split(_ request: RequestHead) -> (name: String, info: String) {
        guard let path = RequestPath(request.path[...]) else { return ("", request.path) }
        guard path.segments.count > 0 else { return ("", "/") }
        var literals = 0
        if case .route(let route, _) = routes.find(request.method, path) {
            literals = route.segments.prefix { if case .literal = $0 { true } else { false } }.count
        }
        func joined(_ segments: ArraySlice<String>) -> String { segments.map { "/" + $0 }.joined() }
        return (joined(path.segments[..<literals]), joined(path.segments[literals...]))
    }

    /// The program, or the script that it interprets: the first argument that is no option, where it names a file.
    private static func file(_ command: [String], in directory: String) -> String {
        guard let argument = command.dropFirst().first(where: { !$0.hasPrefix("-") }) else { return command[0] }
        let path = argument.hasPrefix("/") ? argument : directory + "/" + argument
        var status = stat()
        return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFREG ? path : command[0]
    }
}
