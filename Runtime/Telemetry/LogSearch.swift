import Events
import Glibc

/// Finds lines in the files of the log, from the end backwards, so that the newest are found without reading the rest.
struct LogSearch {
    /// Bytes that are read at once.
    static let block = 256 << 10
    /// Lines are almost in order of time: threads may overtake each other by this much, in milliseconds. A search for
    /// lines since a time ends at the first that is older than that; where the clock was set back by more, it does not
    /// look for lines from before the step, whose times lie ahead of those after it.
    static let disorder: Int64 = 10_000

    let filter: LogFilter
    let limit: Int
    /// The newest first.
    private(set) var found: [LogLine] = []
    private(set) var isComplete = false
    private let needles: [[UInt8]]

    init(_ filter: LogFilter, limit: Int) {
        self.filter = filter
        self.limit = limit
        // A quote within a JSON string has a backslash before it, so these bytes never occur within a message.
        needles = [("function", filter.function), ("invocation", filter.invocation)].compactMap { name, value in
            value.map { value in Array(JSONWriter.object { $0.field(text: name, value) }.dropFirst().dropLast()) }
        }
        isComplete = limit <= 0
    }

    /// Searches the file behind `descriptor`, which is older than those before.
    mutating func search(_ descriptor: Int32) {
        var end = Int(lseek(descriptor, 0, SEEK_END))
        // The beginning of a line whose end was in the block after.
        var rest: [UInt8] = []
        while end > 0, !isComplete {
            let start = max(0, end - Self.block)
            guard let bytes = Self.read(descriptor, start..<end) else { return }
            end = start
            var lines = (bytes + rest).split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
            rest = start > 0 ? Array(lines.removeFirst()) : []
            for line in lines.reversed() where !isComplete { consider(line) }
        }
    }

    private mutating func consider(_ bytes: ArraySlice<UInt8>) {
        guard !bytes.isEmpty else { return }
        if let since = filter.since, let time = Self.time(of: bytes),
            time.milliseconds + Self.disorder < since.milliseconds
        {
            isComplete = true
            return
        }
        guard needles.allSatisfy({ bytes.contains($0) }), let line = LogLine(json: bytes), filter.matches(line) else {
            return
        }
        found.append(line)
        isComplete = found.count >= limit
    }

    /// The value of `time`, which is always the first key.
    private static func time(of line: ArraySlice<UInt8>) -> WallTime? {
        let start = line.startIndex + "{\"time\":\"".utf8.count
        guard line.endIndex >= start + 24 else { return nil }
        return WallTime(rfc3339: String(decoding: line[start..<start + 24], as: UTF8.self))
    }

    private static func read(_ descriptor: Int32, _ range: Range<Int>) -> [UInt8]? {
        let bytes = [UInt8](unsafeUninitializedCapacity: range.count) { buffer, count in
            while count < range.count {
                // `range` is not empty, so the buffer has an address.
                let got = pread(
                    descriptor, buffer.baseAddress! + count, range.count - count, off_t(range.lowerBound + count))
                guard got > 0 else { break }
                count += got
            }
        }
        return bytes.count == range.count ? bytes : nil
    }
}
