import Foundation

/// Paths are made absolute once, while a manifest is read, and are plain strings afterwards.
package enum AbsolutePath {
    /// `path` seen from `folder`, without `.`, `..` and doubled slashes. Symbolic links stay as they are written,
    /// so that the paths in events and messages are those that the user knows.
    package static func resolve(_ path: String, from folder: String) -> String {
        var parts: [Substring] = []
        for part in (path.hasPrefix("/") ? path : folder + "/" + path).split(separator: "/") {
            switch part {
            case ".": continue
            case "..": _ = parts.popLast()
            default: parts.append(part)
            }
        }
        return "/" + parts.joined(separator: "/")
    }

    /// `path` seen from the directory of this process.
    package static func resolve(_ path: String) -> String {
        resolve(path, from: FileManager.default.currentDirectoryPath)
    }

    /// The folder of an absolute path: `/a` for `/a/b`, `/` for `/a`.
    package static func parent(_ path: String) -> String { resolve("..", from: path) }

    /// Whether `path` is `folder` or lies below it; both absolute.
    package static func covers(_ folder: String, _ path: String) -> Bool {
        folder == "/" || path == folder || path.hasPrefix(folder + "/")
    }
}
