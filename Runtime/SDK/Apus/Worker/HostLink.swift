import CFork
import Glibc
import Wire

/// The way between worker and host: a socket; once the host has offered memory that both share, that memory, and the socket
/// is the bell by which each wakes the other.
struct HostLink: ~Copyable {
    let socket: Int32
    private var memory: SharedMemory?
    /// Of the state; `nil` until the host has given them.
    private(set) var values: SharedValues?
    /// What the host has offered and this process has not mapped yet.
    private var offer: Int32 = -1
    /// WELCOME, with which an offer would come, is not there yet.
    private var awaitsWelcome = true
    private var hasEnded = false

    init(socket: Int32) { self.socket = socket }

    deinit { if offer >= 0 { close(offer) } }

    /// WELCOME has come: takes what the host has offered with it.
    mutating func isWelcome() throws(WireError) {
        awaitsWelcome = false
        guard offer >= 0 else { return }
        defer {
            close(offer)
            offer = -1
        }
        memory = try SharedMemory(Mapping(offer), as: .worker)
    }

    // MARK: Bytes

    /// Reads what is there. `nil` at the end of the stream.
    mutating func receive(into buffer: UnsafeMutableRawBufferPointer) throws -> Int? {
        let count: Int
        if let memory {
            let received = try memory.receive(into: buffer)
            if received.rings { ring() }
            return received.count == 0 && hasEnded ? nil : received.count
        } else if awaitsWelcome {
            count = receiveOffer(into: buffer)
        } else {
            count = recv(socket, buffer.baseAddress, buffer.count, Int32(MSG_DONTWAIT))
        }
        guard count < 0 else { return count > 0 ? count : nil }
        if errno == EAGAIN || errno == EINTR { return 0 }
        throw SystemError("recv", errno)
    }

    private mutating func receiveOffer(into buffer: UnsafeMutableRawBufferPointer) -> Int {
        var (descriptor, count) = (Int32(-1), Int32(0))
        let size = apus_receive(socket, buffer.baseAddress, buffer.count, &descriptor, 1, &count, Int32(MSG_DONTWAIT))
        if count > 0 {
            if offer >= 0 { close(offer) }
            offer = descriptor
        }
        if size < 0 { errno = Int32(-size) }
        return size
    }

    /// Returns how many of the bytes were taken, 0 where there is no room.
    mutating func send(_ bytes: UnsafeRawBufferPointer) throws -> Int {
        if let memory {
            let sent = try memory.send(bytes)
            if sent.rings { ring() }
            return sent.count
        }
        while true {
            let sent = Glibc.send(socket, bytes.baseAddress, bytes.count, Int32(MSG_DONTWAIT | MSG_NOSIGNAL))
            if sent >= 0 { return sent }
            if errno == EAGAIN { return 0 }
            if errno != EINTR { throw SystemError("send", errno) }
        }
    }

    // MARK: Sleep

    /// Whether it goes through memory.
    var isShared: Bool { memory != nil }

    /// Of which one is to be taken before it is run.
    var callsAhead: CallsAhead? { memory?.callsAhead }

    /// Where the host is told what calls take.
    var callTimes: CallTimes? { memory?.callTimes }

    /// Something has come through memory.
    var hasInput: Bool { memory?.hasInput ?? false }

    /// To be called before the thread sleeps on the socket. `false`: there is something to do.
    ///
    /// - Parameter blocked: bytes wait for room.
    func sleeps(blocked: Bool) -> Bool { memory?.sleeps(reading: true, writing: blocked) ?? true }

    /// To be called after that.
    ///
    /// - Parameter isReadable: the socket can be read.
    mutating func wakes(isReadable: Bool) {
        memory?.wakes()
        guard memory != nil, isReadable else { return }
        var bytes: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
        var (descriptor, received) = (Int32(-1), Int32(0))
        let size = MemoryLayout.size(ofValue: bytes)
        let count = apus_receive(socket, &bytes, size, &descriptor, 1, &received, Int32(MSG_DONTWAIT))
        // Where this process can have no more descriptors, it has heard the bell all the same.
        hasEnded = count == 0 || count < 0 && ![EAGAIN, EINTR, EMFILE].contains(Int32(-count))
        if received > 0 { takeValues(descriptor) }
    }

    /// Where they cannot be used, the host is asked as before.
    private mutating func takeValues(_ descriptor: Int32) {
        values = try? SharedValues(Mapping(descriptor, .reading))
        close(descriptor)
    }

    private func ring() {
        // A full socket has rung already, and one that fails is seen where it is read.
        var byte = SharedMemory.bell
        _ = Glibc.send(socket, &byte, 1, Int32(MSG_DONTWAIT | MSG_NOSIGNAL))
    }
}
