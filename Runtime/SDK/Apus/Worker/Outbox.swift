import Glibc
import Synchronization
import Wire

/// The frames that wait to be sent. Any thread may add; the loop sends.
final class Outbox: Sendable {
    /// Past this, writers wait for a round trip and log lines are dropped, so that a slow host costs no memory.
    static let highWater = 256 << 10

    private struct Contents {
        var writer = ByteWriter(reserving: 16 << 10)
        /// Bytes at the front that are sent already.
        var sent = 0
        var droppedLines = 0

        var waiting: Int { writer.count - sent }

        mutating func didSend(_ count: Int) {
            sent += count
            guard waiting == 0 || sent > 1 << 20 else { return }
            writer.removeFirst(sent, keeping: 1 << 20)
            sent = 0
        }
    }

    private let contents = Mutex(Contents())
    private let alarm: Alarm

    init(alarm: Alarm) { self.alarm = alarm }

    func send(_ frame: Frame) {
        contents.withLock { frame.encode(into: &$0.writer) }
        alarm.ringFromElsewhere()
    }

    /// Sends a log line, unless too much is waiting; the next one that is sent says how many were dropped.
    func sendLine(_ frame: Frame) {
        contents.withLock { contents in
            guard contents.waiting < Self.highWater else {
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

    var isOverfull: Bool { contents.withLock { $0.waiting > Self.highWater } }

    /// Writes what the socket takes now. Returns whether something is left.
    func flush(to socket: Int32) throws -> Bool {
        try contents.withLock { contents in
            while contents.waiting > 0 {
                let sent = contents.writer.withUnsafeBytes { bytes in
                    Glibc.send(
                        socket, bytes.baseAddress?.advanced(by: contents.sent), contents.waiting,
                        Int32(MSG_DONTWAIT | MSG_NOSIGNAL))
                }
                if sent < 0 {
                    if errno == EAGAIN { return true }
                    if errno == EINTR { continue }
                    throw SystemError("send", errno)
                }
                contents.didSend(sent)
            }
            return false
        }
    }
}
