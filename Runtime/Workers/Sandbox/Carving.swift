import Glibc
package import Manifests

/// Grants of folders without what is hidden in them: such a folder falls into the entries that hide nothing. What comes
/// into it later is in none of them.
package struct Carving {
    private let hidden: HiddenPaths
    /// Of the hidden paths, those that are not hidden here.
    private let open: Set<String>

    package init(hidden: HiddenPaths, but open: Set<String> = []) {
        self.hidden = hidden
        self.open = open.filter(hidden.contains)
    }

    /// What is left of grants, and the folders that fell apart, which may be listed: an interpreter that cannot list its
    /// script's folder finds no module in it.
    package struct Pieces: Sendable, Equatable {
        package var whole: [String] = []
        package var listed: [String] = []

        package init(listed: [String] = []) { self.listed = listed }

        static func += (pieces: inout Pieces, more: Pieces) {
            pieces.whole += more.whole
            pieces.listed += more.listed
        }
    }

    /// Whether it is hidden, or lies in what is.
    package func hides(_ path: String) -> Bool { hidden.cover(path) }

    /// Adds what is left of `path`.
    package func carve(_ path: String, into pieces: inout Pieces) {
        guard hasHidden(below: path) else { return pieces.whole.append(path) }
        pieces.listed.append(path)
        for entry in ShownEntries.shared.paths(in: path, without: hidden) { carve(entry, into: &pieces) }
        let own = open.filter { $0 != path && AbsolutePath.parent($0) == path && FolderListing.isEntry($0) }
        for entry in own.sorted() { carve(entry, into: &pieces) }
    }

    private func hasHidden(below folder: String) -> Bool {
        let count = hidden.count(below: folder)
        return count > 0 && count > open.count { $0 != folder && AbsolutePath.covers(folder, $0) }
    }
}

/// Names in folders, without Foundation's cost.
package enum FolderListing {
    package static func names(in path: String, withLinks: Bool = true) -> [String] {
        guard let folder = opendir(path) else { return [] }
        defer { closedir(folder) }
        var names: [String] = []
        while let entry = readdir(folder) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) {
                String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            guard name != ".", name != "..", withLinks || !isLink(entry.pointee, at: path + "/" + name) else {
                continue
            }
            names.append(name)
        }
        return names
    }

    /// Whether something is there that is no link.
    static func isEntry(_ path: String) -> Bool {
        var status = stat()
        return lstat(path, &status) == 0 && status.st_mode & S_IFMT != S_IFLNK
    }

    private static func isLink(_ entry: dirent, at path: @autoclosure () -> String) -> Bool {
        // Not every file system says.
        guard Int(entry.d_type) == DT_UNKNOWN else { return Int(entry.d_type) == DT_LNK }
        var status = stat()
        return lstat(path(), &status) == 0 && status.st_mode & S_IFMT == S_IFLNK
    }
}
