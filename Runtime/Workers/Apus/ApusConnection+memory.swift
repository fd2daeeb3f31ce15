import CProcess
import Glibc
import NIOCore
import Wire

/// Frames through memory that host and worker share. Their socket is the bell by which each wakes the other.
extension ApusConnection {
    /// Bytes for a worker that does not take them, from which on nothing is read from it; and until when.
    private static let backlog = (low: 256 << 10, high: 1 << 20)

    /// Bytes of memory that a connection keeps for what it reads next.
    private static let mostKept = 16 << 10

    /// Sends `welcome` with an offer of memory. `false`: there is none, and nothing was sent.
    func offerMemory(with welcome: Frame) -> Bool {
        do {
            let (mapping, descriptor) = try Mapping.make(size: SharedMemory.size, for: .readingAndWriting)
            defer { Glibc.close(descriptor) }
            let memory = try SharedMemory(mapping, as: .host)
            var writer = ByteWriter()
            welcome.encode(into: &writer)
            // Past the channel, which cannot send descriptors. The socket is empty yet, and takes all or nothing.
            let sent = writer.withUnsafeBytes {
                apus_send_descriptors(socket, $0.baseAddress, $0.count, [descriptor], 1)
            }
            guard sent == writer.count else { return false }
            self.memory = memory
            process.lane.memories.attend(to: self)
            return true
        } catch {
            process.say("debug", "no memory to share with the worker: \(error)")
            return false
        }
    }

    /// Something has come over the socket: the worker's bell.
    func hear(_ bytes: ByteBuffer) {
        guard bytes.readableBytesView.allSatisfy({ $0 == SharedMemory.bell }) else {
            return breakContract("something else than bells on the socket of a worker that shares memory")
        }
        process.lane.memories.attend(to: self)
    }

    /// Handles what the worker has written, and writes what it has not taken yet.
    func lookIntoMemory() {
        guard memory != nil, phase != .broken, phase != .ended else { return }
        do {
            if !isPaused, let bytes = try takeFromMemory() { receive(bytes) }
            if fromMemory.capacity > Self.mostKept { fromMemory = nothing }
        } catch {
            breakContract("\(error)")
        }
        endReading()
    }

    private func takeFromMemory() throws -> ByteBuffer? {
        guard let memory else { return nil }
        let count = try memory.readableBytes
        guard count > 0 else { return nil }
        var rings = false
        fromMemory.clear(minimumCapacity: count)
        try fromMemory.writeWithUnsafeMutableBytes(minimumWritableBytes: count) { room in
            let received = try memory.receive(into: UnsafeMutableRawBufferPointer(rebasing: room[..<count]))
            rings = received.rings
            return received.count
        }
        if rings { process.lane.memories.wake(self) }
        return fromMemory
    }

    /// Writes what there is room for.
    func flushToMemory() {
        guard let memory, outbox.count > 0, phase != .broken else { return }
        do {
            let sent = try outbox.withUnsafeBytes { try memory.send($0) }
            outbox.removeFirst(sent.count, keeping: 256 << 10)
            if sent.rings { process.lane.memories.wake(self) }
        } catch {
            return breakContract("\(error)")
        }
        process.lane.memories.attend(to: self)
        adjustReading()
    }

    /// Whether the worker is behind with what it is sent.
    var isBacklogged: Bool { outbox.count > (isPaused ? Self.backlog.low : Self.backlog.high) }

    /// From here on the worker rings. `false`: there is something to do before.
    func leaveMemory() -> Bool {
        guard phase != .broken, phase != .ended else { return true }
        return memory?.sleeps(reading: !isPaused, writing: outbox.count > 0) ?? true
    }

    /// Wakes the worker.
    func ring() {
        // A channel that is active has its descriptor still. A full socket has rung already.
        guard let context = channelContext, context.channel.isActive else { return }
        var byte = SharedMemory.bell
        _ = Glibc.send(socket, &byte, 1, CInt(MSG_DONTWAIT | MSG_NOSIGNAL))
    }

    /// Wakes the worker and gives it `descriptor`. `false`: it has not got it, and may another time.
    func ring(with descriptor: CInt) -> Bool {
        guard let context = channelContext, context.channel.isActive else { return false }
        var byte = SharedMemory.bell
        return apus_send_descriptors(socket, &byte, 1, [descriptor], 1) == 1
    }
}
