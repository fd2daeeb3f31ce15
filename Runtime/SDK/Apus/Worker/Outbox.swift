import Synchronization
import Wire

/// The frames that wait to be sent. Any thread may add; the loop sends.
final class Outbox: Sendable {
    /// Past this, writers wait for a round trip and log lines are dropped, so that a slow host costs no memory.
    static let highWater = 256 << 10

    private struct Contents: ~Copyable {
        var writer = ByteWriter(reserving: 16 << 10)
        var droppedLines = 0
        /// The calls whose last frame was added since the loop last looked.
        var ended: [UInt32] = []
    }

    private let contents = Mutex(Contents())
    private let alarm: Alarm

    init(alarm: Alarm) { self.alarm = alarm }

    func send(_ frame: Frame) { add { frame.encode(into: &$0) } }

    /// Adds the frame that `encode` writes.
    func add(_ encode: (inout ByteWriter) -> Void) {
        contents.withLock { encode(&$0.writer) }
        alarm.ringFromElsewhere()
    }

    /// Adds the frame that `encode` writes, the last one of a call.
    func add(lastOf call: UInt32, _ encode: (inout ByteWriter) -> Void) {
        contents.withLock { contents in
            encode(&contents.writer)
            contents.ended.append(call)
        }
        alarm.ringFromElsewhere()
    }

    /// A call is over without a frame.
    func forget(_ call: UInt32) { contents.withLock { $0.ended.append(call) } }

    /// Adds the frame that `encode` writes, unless too much is waiting. Returns whether it did.
    func addWhereRoom(_ encode: (inout ByteWriter) -> Void) -> Bool {
        let added = contents.withLock { contents in
            guard contents.writer.count <= Self.highWater else { return false }
            encode(&contents.writer)
            return true
        }
        alarm.ringFromElsewhere()
        return added
    }

    /// Sends a log line, unless too much is waiting; the next one that is sent says how many were dropped.
    func sendLine(_ frame: Frame) {
        contents.withLock { contents in
            guard contents.writer.count < Self.highWater else {
                contents.droppedLines += 1
                return
            }
            if contents.droppedLines > 0 {
                let text = "\(contents.droppedLines) log lines dropped: the host did not keep up"
                let line = Message.log(level: LogLevel.warning.rawValue, text: text, metadata: [])
                Frame(call: 0, line).encode(into: &contents.writer)
                contents.droppedLines = 0
            }
            frame.encode(into: &contents.writer)
        }
        alarm.ringFromElsewhere()
    }

    /// Writes what `send` takes now. Returns whether something is left.
    ///
    /// - Parameters:
    ///   - ended: gets the calls that are over since the last time.
    ///   - send: returns how many of the bytes it has taken, 0 where it has no room.
    func flush(_ ended: (UInt32) -> Void, send: (UnsafeRawBufferPointer) throws -> Int) throws -> Bool {
        try contents.withLock { contents in
            for call in contents.ended { ended(call) }
            contents.ended.removeAll(keepingCapacity: true)
            while contents.writer.count > 0 {
                let sent = try contents.writer.withUnsafeBytes(send)
                guard sent > 0 else { return true }
                contents.writer.removeFirst(sent, keeping: 1 << 20)
            }
            return false
        }
    }
}
