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

    /// Whether `path` is one of many `folders` or lies below one; all absolute.
    package static func covers(_ folders: Set<String>, _ path: String) -> Bool {
        folders.contains(path) || Self.folders(above: path).contains(where: folders.contains)
    }

    /// The folders that an absolute path lies in, the nearest first, `/` last.
    package static func folders(above path: String) -> some Sequence<String> {
        sequence(state: Substring(path)) { rest in
            guard rest.utf8.count > 1, let slash = rest.utf8.lastIndex(of: UInt8(ascii: "/")) else { return nil }
            rest = rest[..<slash]
            return rest.isEmpty ? "/" : String(rest)
        }
    }
}
