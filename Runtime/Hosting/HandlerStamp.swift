import Manifests
import Workers

/// What tells one build of a handler from another: its program, and the files that its command names.
///
/// What those import in turn is not known to anybody but them: a change of that alone is no change here.
struct HandlerStamp: Equatable {
    private let files: [ProgramStamp]

    /// `nil` when the program is not there.
    init?(of handler: Handler) {
        guard let command = handler.command.first, let program = ProgramStamp(command) else { return nil }
        files = [program] + Self.candidates(handler).compactMap(ProgramStamp.init)
    }

    /// Where the code may be that the arguments name: a path, such as an interpreter's script; a module of Python
    /// (`-m shop.orders`, `shop.orders:app`); or the handler of a Lambda runtime (`orders.handler`).
    static func candidates(_ handler: Handler) -> [String] {
        var paths: [String] = []
        var isModule = false
        for argument in handler.command.dropFirst() where !argument.isEmpty {
            paths.append(AbsolutePath.resolve(argument, from: handler.directory))
            func add(_ name: some StringProtocol, _ endings: [String]) {
                let module = name.split(separator: ".").joined(separator: "/")
                paths += endings.map { "\(handler.directory)/\(module)\($0)" }
            }
            if isModule {
                add(argument, [".py", "/__main__.py"])
            } else if let colon = argument.firstIndex(of: ":") {
                add(argument[..<colon], [".py", "/__init__.py"])
            } else if handler.contract == .lambda, let dot = argument.lastIndex(of: ".") {
                add(argument[..<dot], lambdaEndings)
            }
            isModule = argument == "-m"
        }
        return paths
    }

    /// Of the languages that have a Lambda runtime which takes its handler's name as an argument.
    private static let lambdaEndings = [".py", ".js", ".mjs", ".cjs", ".rb"]
}
