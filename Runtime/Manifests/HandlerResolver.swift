import Foundation

/// Finds the program of a handler. A value, so that tests and editors can check a manifest whose program is not there.
package struct HandlerResolver: Sendable {
    package enum Program: Sendable, Equatable {
        /// An executable product of a Swift package.
        case product(String)
        /// A program and its arguments, as written.
        case command([String])
    }

    /// Why there is no such program, and what to do.
    package struct Failure: Error, Sendable, Equatable {
        package enum Part: Sendable, Equatable {
            case program, directory
            /// One of the command, counted from 0.
            case word(Int)
        }

        package var message: String
        /// What of the handler is at fault.
        package var part: Part

        package init(message: String, part: Part = .program) {
            self.message = message
            self.part = part
        }
    }

    /// From the program, its working directory and the manifest's folder, both absolute, to the command with the
    /// program's absolute path; its arguments stay as they are written.
    package var locate:
        @Sendable (_ program: Program, _ directory: String, _ folder: String) -> Result<[String], Failure>

    /// Whether there is something at an absolute path.
    package var exists: @Sendable (_ path: String) -> Bool = { FileManager.default.fileExists(atPath: $0) }

    /// Whether that is a folder.
    package var isFolder: @Sendable (_ path: String) -> Bool = { isDirectory($0) }

    package init(
        locate:
            @escaping @Sendable (_ program: Program, _ directory: String, _ folder: String)
            -> Result<[String], Failure>
    ) {
        self.locate = locate
    }

    /// Looks for nothing: a product's program is its name, a command stays as it is written.
    package static let unchecked = {
        var resolver = HandlerResolver { program, _, _ in
            switch program {
            case .product(let name): .success([name])
            case .command(let words): .success(words)
            }
        }
        resolver.exists = { _ in true }
        resolver.isFolder = { _ in true }
        return resolver
    }()

    /// Looks at the disk. A product is looked for beside the running program, and then in the build folder of the
    /// nearest package at or above the manifest's folder, release before debug; a command without `/` on `PATH`.
    package static let installed = HandlerResolver(
        beside: Bundle.main.executablePath.map(AbsolutePath.parent),
        searchPath: ProcessInfo.processInfo.environment["PATH"] ?? "/usr/local/bin:/usr/bin:/bin")

    /// `beside`: the folder with the products of an installation; `searchPath`: as the variable `PATH`.
    package init(beside: String?, searchPath: String) {
        let folders = searchPath.split(separator: ":").map(String.init)
        locate = { program, directory, folder in
            guard isDirectory(directory) else {
                return .failure(Failure(message: "there is no directory \(directory)", part: .directory))
            }
            switch program {
            case .product(let name):
                return Self.product(name, beside: beside, folder: folder).map { [$0] }
            case .command(let words):
                return Self.program(words[0], directory: directory, searchPath: folders).flatMap { program in
                    let missing = Self.missingScript(of: words, directory: directory, searchPath: folders)
                    return missing.map { .failure($0) } ?? .success([program] + words.dropFirst())
                }
            }
        }
    }

    private static func product(_ name: String, beside: String?, folder: String) -> Result<String, Failure> {
        if let beside, isProgram(beside + "/" + name) { return .success(beside + "/" + name) }
        guard let package = packageFolder(at: folder) else {
            return .failure(
                Failure(message: "no executable '\(name)' beside apus, and no Package.swift in \(folder) or above it"))
        }
        for configuration in ["release", "debug"] {
            let path = "\(package)/.build/\(configuration)/\(name)"
            if isProgram(path) { return .success(path) }
        }
        // Reading the manifest of a package properly takes seconds; that the name does not occur in it is a sure sign.
        let declared =
            (try? String(contentsOfFile: package + "/Package.swift", encoding: .utf8))?.contains(name) ?? true
        let message =
            declared
            ? "the product '\(name)' is not built; run `swift build --product \(name)` in \(package)"
            : "\(package)/Package.swift declares no product '\(name)'; "
                + "correct the name, or declare it and run `swift build --product \(name)`"
        return .failure(Failure(message: message))
    }

    private static func packageFolder(at folder: String) -> String? {
        var folder = folder
        while !FileManager.default.fileExists(atPath: folder + "/Package.swift") {
            guard folder != "/" else { return nil }
            folder = AbsolutePath.parent(folder)
        }
        return folder
    }

    private static func program(_ name: String, directory: String, searchPath: [String]) -> Result<String, Failure> {
        guard name.contains("/") else {
            guard let folder = searchPath.first(where: { isProgram($0 + "/" + name) }) else {
                let advice =
                    isProgram(directory + "/" + name)
                    ? "write './\(name)' for the one in \(directory)" : "install it, or write its path"
                return .failure(Failure(message: "no program '\(name)' on PATH; \(advice)"))
            }
            return .success(AbsolutePath.resolve(folder + "/" + name))
        }
        let path = AbsolutePath.resolve(name, from: directory)
        if isProgram(path) { return .success(path) }
        guard FileManager.default.fileExists(atPath: path) else {
            return .failure(Failure(message: "the program \(path) does not exist"))
        }
        return .failure(
            Failure(
                message: isDirectory(path)
                    ? "\(path) is a directory, not a program" : "\(path) is not executable; run `chmod +x \(path)`"))
    }
}

/// Scripts: the program of such a command is there, whatever becomes of it.
extension HandlerResolver {
    /// Programs whose first argument is the file that they run, and the options with which it still is: those that have
    /// neither a value nor another source for the program. A version may follow the name, as in `python3.12`.
    private static let interpreters: [String: String] = [
        "ash": shell, "bash": shell, "dash": shell, "ksh": shell, "sh": shell, "zsh": shell,
        "lua": "iE", "luajit": "iE", "node": "", "nodejs": "", "perl": "tTwWX", "php": "nq",
        "python": "bBdEiIOPqsSuvx", "ruby": "w",
    ]
    private static let shell = "aefmnuvx"

    /// Why an interpreter would not find its script; `nil` also for a command that may not name one.
    private static func missingScript(of words: [String], directory: String, searchPath: [String]) -> Failure? {
        guard let index = scriptIndex(in: words) else { return nil }
        let script = AbsolutePath.resolve(words[index], from: directory)
        // Node.js takes `app` for `app.js`, and a shell looks for its script on PATH, too.
        var places = [script, script + ".js"]
        if !words[index].contains("/") { places += searchPath.map { $0 + "/" + words[index] } }
        if places.contains(where: { FileManager.default.fileExists(atPath: $0) }) { return nil }
        return Failure(
            message: "the script \(script) does not exist; write it, or correct its path", part: .word(index))
    }

    /// Which word can be nothing else than a script: the one behind the interpreter, before which `env` may stand, and
    /// behind options that are known. Behind another option may be its value, or the program is in the option itself, as
    /// with `sh -c`. (`node inspect` debugs what follows.)
    private static func scriptIndex(in words: [String]) -> Int? {
        let start = baseName(of: words[0]) == "env" ? 1 : 0
        guard start < words.count, let name = baseName(of: words[start]), let flags = interpreters[name] else {
            return nil
        }
        let index = words.indices.dropFirst(start + 1).first { !areFlags(words[$0], of: flags) }
        guard let index, !words[index].hasPrefix("-"), !words[index].hasPrefix("+"), words[index] != "inspect" else {
            return nil
        }
        return index
    }

    /// Without folder and version; `nil` for a program that is named by a path of its own, which may be anybody's.
    private static func baseName(of program: String) -> String? {
        guard program.hasPrefix("/") || !program.contains("/") else { return nil }
        var name = program.split(separator: "/").last ?? ""
        while let last = name.last, last == "." || ("0"..."9").contains(last) { name.removeLast() }
        return String(name)
    }

    /// Whether it is one of the options, or several in one word, such as `-ux`.
    private static func areFlags(_ word: String, of flags: String) -> Bool {
        word.count > 1 && word.hasPrefix("-") && word.dropFirst().allSatisfy { flags.contains($0) }
    }
}

private func isDirectory(_ path: String) -> Bool {
    var isDirectory: ObjCBool = false
    return FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) && isDirectory.boolValue
}

/// A file that this user may execute, not a directory that it may enter.
private func isProgram(_ path: String) -> Bool {
    FileManager.default.isExecutableFile(atPath: path) && !isDirectory(path)
}
