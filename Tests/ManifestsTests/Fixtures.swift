import Foundation
import Manifests
import Testing

/// The golden files. `APUS_WRITE_GOLDENS=1 swift test --filter ManifestsTests` writes them anew, for a person to read.
enum Fixtures {
    static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().path + "/Fixtures"
    static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().path

    static let valid = names(in: "valid")
    static let invalid = names(in: "invalid")

    /// Files without their extension, and folders, each of which is one load.
    private static func names(in group: String) -> [String] {
        let entries = (try? FileManager.default.contentsOfDirectory(atPath: folder + "/" + group)) ?? []
        return entries.compactMap { entry in
            if entry.hasSuffix(".yaml") { return String(entry.dropLast(5)) }
            return entry.contains(".") ? nil : entry
        }.sorted()
    }

    /// A fixture's file, or its folder.
    static func path(_ group: String, _ name: String) -> String {
        let file = "\(folder)/\(group)/\(name).yaml"
        return FileManager.default.fileExists(atPath: file) ? file : "\(folder)/\(group)/\(name)"
    }

    /// The YAML files of a fixture.
    static func files(_ group: String, _ name: String) throws -> [String] {
        let path = path(group, name)
        if path.hasSuffix(".yaml") { return [path] }
        return try FileManager.default.contentsOfDirectory(atPath: path).filter { $0.hasSuffix(".yaml") }.sorted().map {
            path + "/" + $0
        }
    }

    static func expect(_ text: String, equalsGolden path: String) throws {
        if ProcessInfo.processInfo.environment["APUS_WRITE_GOLDENS"] != nil {
            try text.write(toFile: path, atomically: true, encoding: .utf8)
        }
        let golden = try #require(
            try? String(contentsOfFile: path, encoding: .utf8), "there is no golden file \(path)")
        #expect(text == golden)
    }
}

/// Writes `text` as the only manifest of a fresh folder and loads it.
func load(_ text: String, in folder: String, handlers: HandlerResolver = .unchecked) throws -> LoadResult {
    try text.write(toFile: folder + "/manifest.yaml", atomically: true, encoding: .utf8)
    return ManifestLoader.load([folder + "/manifest.yaml"], handlers: handlers)
}
