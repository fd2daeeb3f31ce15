import Glibc
import Manifests

/// Grants of folders without what is hidden in them: such a folder falls into the entries that hide nothing. What comes
/// into it later is in none of them.
package struct Carving {
    package let hidden: [String]

    package init(hidden: [String]) { self.hidden = hidden }

    package func pieces(of path: String) -> [String] {
        if hidden.contains(where: { AbsolutePath.covers($0, path) }) { return [] }
        guard hidden.contains(where: { AbsolutePath.covers(path, $0) }) else { return [path] }
        let folder = path == "/" ? "" : path
        return FolderListing.names(in: path).sorted().flatMap { pieces(of: folder + "/" + $0) }
    }
}

/// Names in folders, without Foundation's cost.
enum FolderListing {
    static func names(in path: String) -> [String] {
        guard let folder = opendir(path) else { return [] }
        defer { closedir(folder) }
        var names: [String] = []
        while let entry = readdir(folder) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) {
                String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names
    }
}
