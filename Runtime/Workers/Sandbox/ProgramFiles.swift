import Foundation
import Manifests

/// What a program needs to read that it has not got in its directory: itself, behind all links; the interpreter that its
/// first line names; and, where it stands in the `bin` of an installation, that installation.
struct ProgramFiles {
    private static let mostLinks = 32
    /// Of an installation, beside its `bin`.
    private static let parts = [
        "bin", "sbin", "lib", "lib32", "lib64", "libexec", "include", "share", "pyvenv.cfg",
    ]

    private(set) var paths: Set<String> = []
    private var seen: Set<String> = []
    /// The user's; no installation is as large as that.
    private let home: String
    private let searchPath: [String]

    init(home: String, searchPath: [String]) {
        self.home = home
        self.searchPath = searchPath
    }

    /// - Parameter program: absolute path.
    mutating func add(program: String) {
        var path = program
        for _ in 0..<Self.mostLinks {
            guard seen.insert(path).inserted else { return }
            paths.insert(path)
            add(folder: AbsolutePath.parent(path))
            guard let target = try? FileManager.default.destinationOfSymbolicLink(atPath: path) else { break }
            path = AbsolutePath.resolve(target, from: AbsolutePath.parent(path))
        }
        addInterpreter(of: path)
    }

    /// A folder with programs: `bin` of an installation, or any.
    mutating func add(folder: String) {
        guard seen.insert(folder + "/").inserted, !SystemFiles.cover(folder) else { return }
        let prefix = AbsolutePath.parent(folder)
        let name = folder.split(separator: "/").last.map(String.init) ?? ""
        let isInstallation = ["bin", "sbin", "libexec", "shims"].contains(name) && !AbsolutePath.covers(prefix, home)
        guard isInstallation else { return addNeighbours(in: folder) }
        // Of pyenv and kin: scripts that look up the version that is wanted.
        if name == "shims" {
            paths.insert(prefix)
            return
        }
        // What users keep in ~/.local/share is not of programs alone.
        let parts = prefix.hasSuffix("/.local") ? Self.parts.filter { $0 != "share" } : Self.parts
        for part in parts where FileManager.default.fileExists(atPath: prefix + "/" + part) {
            paths.insert(prefix + "/" + part)
        }
        addHome(of: prefix + "/pyvenv.cfg")
    }

    /// Libraries and resource bundles that a build puts beside its programs.
    private mutating func addNeighbours(in folder: String) {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        for name in names where name.hasSuffix(".resources") || name.hasPrefix("lib") && name.contains(".so") {
            paths.insert(folder + "/" + name)
        }
    }

    /// The installation behind a virtual environment of Python (PEP 405).
    private mutating func addHome(of configuration: String) {
        guard let text = try? String(contentsOfFile: configuration, encoding: .utf8) else { return }
        for line in text.split(separator: "\n") {
            let sides = line.split(separator: "=", maxSplits: 1).map { $0.trimmingCharacters(in: .whitespaces) }
            if sides.count == 2, sides[0] == "home", sides[1].hasPrefix("/") { add(folder: sides[1]) }
        }
    }

    /// Of `#!PROGRAM`, and of `#!/usr/bin/env PROGRAM`, which looks on PATH.
    private mutating func addInterpreter(of script: String) {
        guard let file = FileHandle(forReadingAtPath: script), let start = try? file.read(upToCount: 256),
            start.starts(with: Array("#!".utf8))
        else { return }
        let line = String(decoding: start.dropFirst(2).prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
        let words = line.split(whereSeparator: \.isWhitespace).map(String.init)
        guard let interpreter = words.first, interpreter.hasPrefix("/") else { return }
        add(program: interpreter)
        guard interpreter.hasSuffix("/env"),
            let name = words.dropFirst().first(where: { !$0.hasPrefix("-") && !$0.contains("=") }),
            let folder = searchPath.first(where: { FileManager.default.isExecutableFile(atPath: $0 + "/" + name) })
        else { return }
        add(program: folder + "/" + name)
    }
}
