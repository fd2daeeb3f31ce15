#if canImport(Glibc)
    import Glibc
#else
    import Musl
#endif

extension ZoneRules {
    /// Where Debian's package `tzdata` installs them.
    static let directory = "/usr/share/zoneinfo"

    /// Reads the zone from the system's tzdata; `UTC` needs none.
    package static func load(_ name: String) throws(ScheduleError) -> ZoneRules {
        if name == "UTC" { return .utc }
        guard isName(name), let bytes = contents(of: "\(directory)/\(name)") else {
            guard access(directory, R_OK) == 0 else {
                throw ScheduleError("no time zone but UTC is known, because \(directory) is missing (package tzdata)")
            }
            throw ScheduleError("unknown time zone '\(name)'; expected an IANA name such as Europe/Berlin")
        }
        guard let zone = ZoneRules(name: name, tzif: bytes) else {
            throw ScheduleError("\(directory)/\(name) is not a time zone file as RFC 9636 describes it")
        }
        return zone
    }

    /// The names that `load` knows, sorted.
    package static func knownNames() -> [String] {
        var names = names(under: "")
        if !names.contains("UTC") { names.append("UTC") }
        return names.sorted()
    }

    /// Every IANA name begins with a capital; the other files of the directory, such as `posixrules` and the folder
    /// `right` (whose clocks count leap seconds), do not. A dot appears in no name, and so none leads elsewhere.
    private static func isName(_ name: String) -> Bool {
        guard let first = name.utf8.first, (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(first) else { return false }
        return name.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "/"), UInt8(ascii: "_"), UInt8(ascii: "-"),
                UInt8(ascii: "+"):
                true
            default: false
            }
        }
    }

    private static func names(under prefix: String) -> [String] {
        guard let folder = opendir("\(directory)/\(prefix)") else { return [] }
        defer { closedir(folder) }
        var names: [String] = []
        while let entry = readdir(folder) {
            let file = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            let name = prefix + file
            guard isName(name) else { continue }
            let nested = self.names(under: name + "/")
            names += nested.isEmpty ? [name] : nested
        }
        return names
    }

    /// At most 1 MiB; `nil` for what cannot be read, such as a folder.
    private static func contents(of path: String) -> [UInt8]? {
        guard let file = fopen(path, "re") else { return nil }
        defer { fclose(file) }
        let bytes = [UInt8](unsafeUninitializedCapacity: 1 << 20) { buffer, count in
            count = fread(buffer.baseAddress, 1, buffer.count, file)
        }
        return bytes.isEmpty ? nil : bytes
    }
}

extension ZoneRules {
    /// A zone that has had one rule for ever, in the form of POSIX's `TZ`; `nil` for anything else.
    package init?(name: String, posix rule: String) {
        guard let future = PosixZone(rule) else { return nil }
        self.init(name: name, initial: future.standard, changes: [], future: future)
    }

    /// Reads a TZif file of any version; `nil` for one that contradicts RFC 9636.
    package init?(name: String, tzif bytes: [UInt8]) {
        guard let first = TZifHeader(bytes[...]) else { return nil }
        var header = first
        var body = bytes[TZifHeader.size...]
        if first.version >= UInt8(ascii: "2") {
            // The block of version 1 is there for old readers; the 64-bit one after it has all of it.
            guard let second = TZifHeader(body.dropFirst(first.bodySize(timeSize: 4))) else { return nil }
            body = body.dropFirst(first.bodySize(timeSize: 4) + TZifHeader.size)
            header = second
        }
        let timeSize = first.version >= UInt8(ascii: "2") ? 8 : 4
        guard body.count >= header.bodySize(timeSize: timeSize), let block = header.read(body, timeSize: timeSize)
        else {
            return nil
        }
        let footer = body.dropFirst(header.bodySize(timeSize: timeSize)).dropFirst().prefix { $0 != UInt8(ascii: "\n") }
        let future = PosixZone(String(decoding: footer, as: UTF8.self))
        guard future != nil || footer.isEmpty else { return nil }
        let initial = block.changes.isEmpty ? future?.standard ?? block.initial : block.initial
        self.init(name: name, initial: initial, changes: block.changes, future: future)
    }
}

/// RFC 9636 §3.1: the counts of what follows, each a 32-bit big-endian number.
private struct TZifHeader {
    static let size = 44

    let version: UInt8
    private let isUTCount: Int
    private let isStandardCount: Int
    private let leapCount: Int
    private let timeCount: Int
    private let typeCount: Int
    private let characterCount: Int

    init?(_ bytes: ArraySlice<UInt8>) {
        guard bytes.count >= Self.size, bytes.starts(with: "TZif".utf8) else { return nil }
        version = bytes[bytes.startIndex + 4]
        let counts = (0..<6).map { Int(bigEndian(bytes.dropFirst(20 + 4 * $0).prefix(4))) }
        // No count of a real file comes near this; it keeps the sizes below from overflowing.
        guard counts.allSatisfy({ (0...1 << 20).contains($0) }) else { return nil }
        isUTCount = counts[0]
        isStandardCount = counts[1]
        leapCount = counts[2]
        timeCount = counts[3]
        typeCount = counts[4]
        characterCount = counts[5]
    }

    func bodySize(timeSize: Int) -> Int {
        timeCount * (timeSize + 1) + typeCount * 6 + characterCount + leapCount * (timeSize + 4) + isStandardCount
            + isUTCount
    }

    /// RFC 9636 §3.2: transition times, their types, the types, their names.
    func read(_ body: ArraySlice<UInt8>, timeSize: Int) -> (initial: ZoneOffset, changes: [ZoneRules.Change])? {
        let indices = body.dropFirst(timeCount * timeSize).prefix(timeCount)
        let types = body.dropFirst(timeCount * (timeSize + 1))
        let names = types.dropFirst(typeCount * 6).prefix(characterCount)
        let offsets = (0..<typeCount).map { index -> ZoneOffset in
            let type = types.dropFirst(index * 6).prefix(6)
            let name = names.dropFirst(Int(type[type.startIndex + 5])).prefix { $0 != 0 }
            return ZoneOffset(
                seconds: Int(bigEndian(type.prefix(4))), isDaylight: type[type.startIndex + 4] != 0,
                abbreviation: String(decoding: name, as: UTF8.self))
        }
        guard let initial = offsets.first, indices.allSatisfy({ Int($0) < typeCount }) else { return nil }
        let changes = zip(0..<timeCount, indices).map { index, type in
            ZoneRules.Change(
                second: bigEndian(body.dropFirst(index * timeSize).prefix(timeSize)), offset: offsets[Int(type)])
        }
        guard zip(changes, changes.dropFirst()).allSatisfy({ $0.second < $1.second }) else { return nil }
        return (initial, changes)
    }
}

/// A signed number of four or eight bytes.
private func bigEndian(_ bytes: ArraySlice<UInt8>) -> Int64 {
    let value = bytes.reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    return bytes.count == 4 ? Int64(Int32(truncatingIfNeeded: value)) : Int64(bitPattern: value)
}
