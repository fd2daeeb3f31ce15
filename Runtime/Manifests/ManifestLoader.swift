import Foundation

/// What was read from a set of files: all functions without a problem, and all problems. Who starts functions starts
/// none unless `problems` is empty.
package struct LoadResult: Sendable {
    package var manifests: [Manifest]
    /// File by file in the order of loading, within a file by position.
    package var problems: [ManifestProblem]
    /// What keeps nobody from starting the functions.
    package var warnings: [ManifestProblem]

    package init(manifests: [Manifest] = [], problems: [ManifestProblem] = [], warnings: [ManifestProblem] = []) {
        self.manifests = manifests
        self.problems = problems
        self.warnings = warnings
    }
}

/// Reads manifests: normalises, defaults, validates and freezes them. Nobody checks them again afterwards.
package enum ManifestLoader {
    /// Bytes. A manifest is written by hand; what is longer is something else.
    private static let longest = 1 << 20

    /// Reads files, and of folders each `*.yaml` and `*.yml` directly in it but `reference.yaml`, which explains
    /// every key and declares nothing. A file holds one document. A file that is named twice is read once.
    package static func load(_ paths: [String], handlers: HandlerResolver = .installed) -> LoadResult {
        var declarations: [Declaration] = []
        var warnings: [ManifestProblem] = []
        var seen: Set<String> = []
        for path in paths {
            let (files, problem) = files(at: path)
            if let problem {
                declarations.append(problem)
            } else if files.isEmpty {
                warnings.append(.warning("the folder holds no *.yaml and no *.yml but reference.yaml", file: path))
            }
            for file in files where seen.insert(AbsolutePath.resolve(file)).inserted {
                declarations.append(declaration(in: file, handlers: handlers))
            }
        }
        ManifestSet.check(declarations)
        return LoadResult(
            manifests: declarations.filter { $0.report.problems.isEmpty }.compactMap(\.manifest),
            problems: declarations.flatMap(\.report.sorted),
            warnings: warnings + declarations.flatMap(\.report.warnings))
    }

    /// The manifests at `path` as the user knows them; a declaration that only carries a problem where there are none.
    private static func files(at path: String) -> (files: [String], problem: Declaration?) {
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
            return ([], failed(path, "no such file or folder"))
        }
        guard isFolder.boolValue else { return ([path], nil) }
        guard let names = try? FileManager.default.contentsOfDirectory(atPath: path) else {
            return ([], failed(path, "the folder cannot be read; check its permissions"))
        }
        let manifests = names.filter {
            ($0.hasSuffix(".yaml") || $0.hasSuffix(".yml")) && !$0.hasPrefix(".") && $0 != "reference.yaml"
        }
        let folder = path.hasSuffix("/") ? path : path == "." ? "" : path + "/"
        return (manifests.sorted().map { folder + $0 }, nil)
    }

    private static func declaration(in file: String, handlers: HandlerResolver) -> Declaration {
        guard let data = FileManager.default.contents(atPath: file) else {
            return failed(file, "the file cannot be read; check its permissions")
        }
        guard data.count <= longest else {
            return failed(file, "\(data.count) bytes are too many for a manifest; the limit is \(longest)")
        }
        // The byte order mark that some editors of Windows write is no part of the text.
        let bytes = data.starts(with: [0xEF, 0xBB, 0xBF]) ? data.dropFirst(3) : data
        guard let text = String(validating: bytes, as: UTF8.self) else {
            return failed(file, "not valid UTF-8; save the file in that encoding")
        }
        let report = Report(file: file)
        guard let root = YAMLDocument.compose(text, report: report) else { return Declaration(report: report) }
        let parser = ManifestParser(report: report, file: AbsolutePath.resolve(file), handlers: handlers)
        return parser.parse(root)
    }

    private static func failed(_ file: String, _ message: String) -> Declaration {
        let report = Report(file: file)
        report.add(nil, message)
        return Declaration(report: report)
    }
}
