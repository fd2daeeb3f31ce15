import Events
import Glibc

/// The files of the log, `apus.jsonl` and its predecessors `apus.jsonl.1` (the newest) and on. Confined to one thread.
struct LogFiles: ~Copyable {
    private let path: String
    private let fileBytes: Int
    private let files: Int
    private var descriptor: Int32
    private var size: Int

    /// Opens or creates `apus.jsonl` in `directory`, which must exist.
    init(directory: String, fileBytes: Int, files: Int) throws {
        path = directory + "/apus.jsonl"
        self.fileBytes = fileBytes
        self.files = files
        (descriptor, size) = try Self.open(path)
        size += Self.endBrokenLine(descriptor, size)
    }

    deinit { close(descriptor) }

    /// Appends whole lines; begins a new file first when they would not fit into this one.
    mutating func append(_ bytes: [UInt8]) throws {
        if size > 0, size + bytes.count > fileBytes { try rotate() }
        guard bytes.write(to: descriptor) else {
            let error = LogError(doing: "write", path)
            // Better no line than half a line; when not even this works, readers skip what they cannot parse.
            _ = ftruncate(descriptor, off_t(size))
            throw error
        }
        size += bytes.count
    }

    /// Descriptors of all files that are there now, the newest first. They stay valid when the files are rotated.
    func openAll() -> [Int32] {
        let paths = [path] + (1..<max(files, 2)).map { "\(path).\($0)" }
        return paths.map { Glibc.open($0, O_RDONLY | O_CLOEXEC) }.filter { $0 >= 0 }
    }

    /// Whatever fails, no file is lost and the next try goes on from there: the new file is there before an old one
    /// moves, and none moves further than to the first free name.
    private mutating func rotate() throws {
        let new = path + ".new"
        _ = unlink(new)
        let (next, nextSize) = try Self.open(new)
        do {
            for number in (0..<firstFree).reversed() { try Self.move(name(number), to: name(number + 1)) }
            try Self.move(new, to: path)
        } catch {
            close(next)
            throw error
        }
        close(descriptor)
        (descriptor, size) = (next, nextSize)
    }

    private func name(_ number: Int) -> String { number == 0 ? path : "\(path).\(number)" }

    /// Up to here files move on by one; when all names are taken, the oldest file gives way.
    private var firstFree: Int {
        let last = max(files, 2) - 1
        return (0...last).first { access(name($0), F_OK) != 0 } ?? last
    }

    private static func move(_ old: String, to new: String) throws {
        guard rename(old, new) == 0 || errno == ENOENT else { throw LogError(doing: "rename", old) }
    }

    /// A host that was killed may have left half a line. Returns how many bytes it has added.
    private static func endBrokenLine(_ descriptor: Int32, _ size: Int) -> Int {
        var last: UInt8 = 0
        var end = UInt8(ascii: "\n")
        guard size > 0, pread(descriptor, &last, 1, off_t(size - 1)) == 1, last != end else { return 0 }
        return max(0, write(descriptor, &end, 1))
    }

    private static func open(_ path: String) throws -> (descriptor: Int32, size: Int) {
        let descriptor = Glibc.open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0o640)
        guard descriptor >= 0 else { throw LogError(doing: "open", path) }
        return (descriptor, max(0, Int(lseek(descriptor, 0, SEEK_END))))
    }
}

/// The log cannot be written or read.
package struct LogError: Error, Sendable, CustomStringConvertible {
    package let description: String

    /// Describes `errno`.
    init(doing action: String, _ path: String) {
        description = "cannot \(action) \(path): \(String(cString: strerror(errno)))"
    }
}
