import Foundation

/// What tells one state of the manifest files from another.
struct ManifestStamps: Equatable {
    private struct Stamp: Equatable {
        var modified: Date?
        var size: Int?
    }

    private var files: [String: Stamp] = [:]

    /// - Parameter paths: manifest files, and folders of them.
    init(of paths: [String]) {
        for path in paths {
            let url = URL(fileURLWithPath: path)
            let inside = try? FileManager.default.contentsOfDirectory(at: url, includingPropertiesForKeys: nil)
            for file in inside ?? [url] where ["yaml", "yml"].contains(file.pathExtension) {
                let attributes = try? FileManager.default.attributesOfItem(atPath: file.path)
                files[file.path] = Stamp(
                    modified: attributes?[.modificationDate] as? Date, size: attributes?[.size] as? Int)
            }
        }
    }
}
