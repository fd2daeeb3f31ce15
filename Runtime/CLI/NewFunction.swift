import Foundation

/// Writes the files of a new function.
struct NewFunction {
    /// Where a function goes.
    enum Place: Equatable {
        /// A checkout of Apus: `Functions/`, `manifests/` and a line in `Package.swift`.
        case checkout(String)
        /// A folder that becomes a Swift package.
        case package(String, apus: String)
        /// A folder of `functions/` and `manifests/` without a package.
        case scripts(String)
    }

    struct Written: Equatable {
        /// In the order of their writing.
        var files: [String]
        /// What to type now.
        var next: [String]
    }

    let template: FunctionTemplate
    let place: Place

    /// Writes everything, or nothing when any of the files is there already.
    func write() throws -> Written {
        if let reason { throw Failure(.cannotCreate, reason + "; nothing was written") }
        let plan = try plan()
        for (path, _) in plan.files where FileManager.default.fileExists(atPath: path) {
            throw Failure(.cannotCreate, "\(path) is there already; nothing was written")
        }
        do {
            for folder in plan.folders { try Self.makeFolder(folder) }
            for (path, text) in plan.files + plan.changes {
                try Self.makeFolder((path as NSString).deletingLastPathComponent)
                try Data(text.utf8).write(to: URL(filePath: path), options: .atomic)
            }
        } catch {
            throw Failure(.cannotCreate, error.localizedDescription)
        }
        return Written(files: (plan.files + plan.changes).map(\.0), next: plan.next)
    }

    /// Why the function cannot be written by this name.
    private var reason: String? {
        switch place {
        case .checkout(let root): TakenNames.reason(against: template.product, in: root)
        case .package(_, let apus): TakenNames.reason(against: template.product, in: apus)
        case .scripts: nil
        }
    }

    /// Whether Swift functions of `folder` are declared as those of Apus itself are.
    static func isCheckout(_ folder: String) -> Bool {
        guard let package = try? String(contentsOfFile: folder + "/Package.swift", encoding: .utf8) else {
            return false
        }
        return package.contains("name: \"apus\"") && lastFunction(of: package.components(separatedBy: "\n")) != nil
    }

    // MARK: The plan

    private struct Plan {
        var folders: [String] = []
        var files: [(String, String)]
        /// Files that are there and get this text.
        var changes: [(String, String)] = []
        var next: [String]
    }

    private func plan() throws -> Plan {
        var plan: Plan
        let manifests: String
        let product = template.product
        var scripts = "functions"
        switch place {
        case .checkout(let root):
            manifests = root + "/manifests"
            plan = Plan(
                files: [
                    ("\(root)/Functions/\(product)/\(product).swift", template.source),
                    ("\(root)/Functions/\(product)/README.md", template.readme),
                ],
                changes: [(root + "/Package.swift", try Self.declared(product, in: root + "/Package.swift"))],
                next: ["swift build -c release --static-swift-stdlib --product \(product)"])
        case .package(let root, let apus):
            manifests = root + "/manifests"
            plan = Plan(
                files: [
                    (root + "/Package.swift", template.package(apus: apus)),
                    ("\(root)/Sources/\(product)/\(product).swift", template.source),
                ],
                next: ["swift build -c release --static-swift-stdlib --package-path \(root)"])
        case .scripts(let root):
            manifests = root + "/manifests"
            // A checkout of Apus has a folder for it, by another name.
            if FileManager.default.fileExists(atPath: root + "/Functions") { scripts = "Functions" }
            let script = template.language.script?.file ?? template.product
            plan = Plan(files: [("\(root)/\(scripts)/\(template.name)/\(script)", template.source)], next: [])
        }
        let manifest = "\(manifests)/\(template.name).yaml"
        plan.files.append((manifest, template.manifest(directory: "../\(scripts)/\(template.name)")))
        if template.trigger == .file {
            plan.folders.append(URL(filePath: manifests + "/" + template.inbox).standardizedFileURL.path)
        }
        plan.next += ["apus serve \(manifest)", tryIt]
        return plan
    }

    private var tryIt: String {
        switch template.trigger {
        case .http: "curl http://127.0.0.1:8080/\(template.name)/Ada"
        case .timer: "apus invoke \(template.name) && apus logs \(template.name)"
        case .file: "apus logs \(template.name) --follow, and put a file into inbox/\(template.name)"
        case .topic: "apus invoke \(template.name) --data hello && apus logs \(template.name)"
        case .state: "apus state put \(template.name) entry/1 hello && apus logs \(template.name)"
        }
    }

    /// The text of the package with a function more.
    private static func declared(_ product: String, in path: String) throws -> String {
        let text = try String(contentsOfFile: path, encoding: .utf8)
        var lines = text.components(separatedBy: "\n")
        guard let last = lastFunction(of: lines) else { throw Failure(.data, "\(path) declares no function") }
        let indentation = lines[last].prefix { $0 == " " }
        lines.insert("\(indentation).function(\"\(product)\"),", at: last + 1)
        return lines.joined(separator: "\n")
    }

    private static func lastFunction(of lines: [String]) -> Int? {
        lines.lastIndex { line in
            let text = line.drop { $0 == " " }
            return text.hasPrefix(".function(\"") && text.hasSuffix("),")
        }
    }

    private static func makeFolder(_ path: String) throws {
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }
}
