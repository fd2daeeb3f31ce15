import Glibc
import Wire

/// What has been read from the socket and is not a whole frame yet.
struct InputBuffer {
    private static let capacity = 64 << 10
    private static let headerSize = Frame.headerSize

    private var bytes = [UInt8](repeating: 0, count: capacity)
    private var filled = 0

    /// Reads what is there, up to the room in the buffer. `false` at the end of the stream.
    mutating func fill(from socket: Int32) throws -> Bool {
        let filled = self.filled
        let count = bytes.withUnsafeMutableBytes { buffer in
            recv(socket, buffer.baseAddress?.advanced(by: filled), buffer.count - filled, Int32(MSG_DONTWAIT))
        }
        if count < 0 {
            if errno == EAGAIN || errno == EINTR { return true }
            throw SystemError("recv", errno)
        }
        self.filled += count
        return count > 0
    }

    /// Gives each whole frame to `receive`, with the bytes that its ranges point into, and keeps the rest.
    mutating func drain(_ receive: (Frame, UnsafeRawBufferPointer) throws -> Void) throws {
        let filled = self.filled
        let used = try bytes.withUnsafeBytes { buffer in
            let input = UnsafeRawBufferPointer(rebasing: buffer[..<filled])
            var offset = 0
            while let frame = try Frame.decode(from: input, at: &offset) { try receive(frame, input) }
            return offset
        }
        bytes.withUnsafeMutableBytes { $0.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[used..<filled])) }
        self.filled -= used
        makeRoom()
    }

    /// Grows to what the frame at the front needs, and shrinks again after it.
    private mutating func makeRoom() {
        var needed = Self.capacity
        if filled >= Self.headerSize {
            let length = bytes.withUnsafeBytes { Int(UInt32(littleEndian: $0.loadUnaligned(as: UInt32.self))) }
            needed = max(needed, length + Self.headerSize)
        }
        if bytes.count < needed {
            bytes.append(contentsOf: repeatElement(0, count: needed - bytes.count))
        } else if bytes.count > needed, filled <= needed {
            bytes.removeLast(bytes.count - needed)
            if needed == Self.capacity { bytes = Array(bytes[...]) }
        }
    }
}
