import Dispatch
import Events
import Glibc
import Synchronization

/// The log of a host: JSON lines in rotating files, which can be searched and followed.
///
/// `record` never blocks. A thread of its own writes; when it falls behind, lines are dropped and counted, and a line in
/// the log says how many.
package final class LogStore: Sendable {
    package struct Configuration: Sendable {
        /// A file is closed and a new one begun before it grows past this.
        package var fileBytes = 16 << 20
        /// Files in all, the one that is written among them; the oldest is removed.
        package var files = 4
        /// Bytes of lines that may wait to be written.
        package var waitingBytes = 16 << 20
        /// Lines that a follower may be behind; further ones are skipped and counted.
        package var followerLines = 1024

        package init() {}
    }

    private let configuration: Configuration
    private let disk: Disk
    private let queue: LineQueue
    /// Searches here, so that they hold up no line.
    private let searches = DispatchQueue(label: "apus.log.search")

    /// Opens the log in `directory`, which is made where it is missing.
    ///
    /// - Throws: `LogError` when it cannot be written.
    package init(directory: String, configuration: Configuration = Configuration()) throws {
        try Self.create(directory)
        self.configuration = configuration
        let disk = try Disk(
            LogFiles(directory: directory, fileBytes: configuration.fileBytes, files: configuration.files))
        self.disk = disk
        queue = LineQueue(label: "apus.log", capacity: configuration.waitingBytes) { lines, dropped in
            disk.write(lines, dropped: dropped)
        }
    }

    /// Lines that were not written since the host came up.
    package var dropped: Int { disk.dropped }

    /// Takes a line. Never blocks.
    package func record(_ line: LogLine) { queue.add(line) }

    /// Blocks until every line that was recorded before is in its file.
    package func flush() { queue.flush() }

    /// The newest `limit` lines that match, in the order in which they were written.
    package func lines(_ filter: LogFilter = LogFilter(), limit: Int = 1000) async -> [LogLine] {
        let descriptors = await queue.afterWriting { [disk] in disk.openAll() }
        return await withCheckedContinuation { continuation in
            searches.async { continuation.resume(returning: Self.search(descriptors, filter, limit)) }
        }
    }

    /// The newest `last` lines that match, then those that come, without a gap between them.
    ///
    /// A reader that is too slow misses lines, and is told how many before the next one that it gets. Ending the
    /// iteration ends the following.
    package func follow(_ filter: LogFilter = LogFilter(), last: Int = 10) async -> AsyncStream<LogEntry> {
        let last = min(last, configuration.followerLines)
        let (stream, continuation) = AsyncStream.makeStream(
            of: LogEntry.self, bufferingPolicy: .bufferingOldest(last + configuration.followerLines))
        await queue.afterWriting { [disk] in
            let descriptors = disk.openAll()
            for line in Self.search(descriptors, filter, last) { continuation.yield(.line(line)) }
            disk.add(Follower(filter: filter, continuation: continuation))
        }
        return stream
    }

    private static func search(_ descriptors: [Int32], _ filter: LogFilter, _ limit: Int) -> [LogLine] {
        var search = LogSearch(filter, limit: limit)
        for descriptor in descriptors {
            if !search.isComplete { search.search(descriptor) }
            close(descriptor)
        }
        return search.found.reversed()
    }

    private static func create(_ directory: String) throws {
        var path = directory.hasPrefix("/") ? "" : "."
        for part in directory.split(separator: "/") {
            path += "/" + part
            guard mkdir(path, 0o750) == 0 || errno == EEXIST else { throw LogError(doing: "create", path) }
        }
    }
}

/// What a follower gets.
package enum LogEntry: Sendable, Hashable {
    case line(LogLine)
    /// So many lines are missing here, since the reader was too slow.
    case skipped(Int)
}
