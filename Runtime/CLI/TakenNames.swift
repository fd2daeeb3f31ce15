import Foundation

/// The names that a new Swift function cannot have, since something it is built with has them.
enum TakenNames {
    /// What `import Apus` and the standard library bring into a source file. A function's type of the same name would
    /// hide it, and the handler would not compile, or worse, mean something else.
    static let types: Set<String> = [
        "Apus", "ApusJSON", "ApusTesting", "AsyncIterator", "Body", "Change", "Code", "Context", "Entry", "Event",
        "FileEvent", "FileFunction", "Function", "HTTPError", "HTTPFunction", "HTTPHeaders", "HTTPRequest",
        "HTTPResponse", "Log", "LogLevel", "Message", "PermanentError", "PermanentFailure", "RequestAborted",
        "RequestBody", "ResponseWriter", "State", "StateError", "TimerEvent", "TimerFunction", "Wire",
        "Any", "Array", "Bool", "Character", "Data", "Date", "Dictionary", "Double", "Duration", "Error", "Float",
        "Foundation", "Glibc", "Int", "Main", "Never", "Optional", "Result", "Self", "Sendable", "Set", "String",
        "Substring", "Swift", "Task", "Testing", "Type", "URL",
    ]

    /// Why `product` cannot be the name of a function that is built with the package `root`; `nil` when it can.
    ///
    /// Targets and products of all packages of a build share one set of names, those of what Apus depends on among
    /// them; `Package.swift` says most of them.
    static func reason(against product: String, in root: String) -> String? {
        if types.contains(product) {
            return "'\(product)' is a name of Swift or of the Apus SDK; choose another name"
        }
        let package = (try? String(contentsOfFile: root + "/Package.swift", encoding: .utf8)) ?? ""
        guard ["name: \"\(product)\"", ".function(\"\(product)\""].contains(where: { package.contains($0) }) else {
            return nil
        }
        return "\(root)/Package.swift has a target or product '\(product)' already; choose another name"
    }
}
