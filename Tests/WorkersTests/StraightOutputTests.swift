import Glibc
import NIOCore
import NIOPosix
import Testing
import Workers

@Suite("Writes straight to a socket", .timeLimit(.minutes(1))) struct StraightOutputTests {
    private static let smallest: CInt = 4096

    @Test("keep their order with what waits in the queue, behind a reader that starts late")
    func order() async throws {
        var ends: [CInt] = [-1, -1]
        try #require(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0)
        defer { close(ends[1]) }
        setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, [Self.smallest], socklen_t(MemoryLayout<CInt>.size))
        let channel = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .withConnectedSocket(ends[0]).get()
        // Of sizes that fit, that do not, and that the queue alone takes at once.
        let pieces = (0..<400).map { [UInt8](repeating: UInt8($0 % 251), count: [1, 300, 9000][$0 % 3]) }
        let (descriptor, other) = (ends[0], ends[1])
        let wasQueued = NIOLoopBoundBox.makeBoxSendingValue(false, eventLoop: channel.eventLoop)
        let output = NIOLoopBoundBox.makeBoxSendingValue(StraightOutput(descriptor), eventLoop: channel.eventLoop)
        for (number, piece) in pieces.enumerated() {
            if number % 50 == 0, number > 0 {
                try await Self.expect(Array(pieces[(number - 50)..<number].joined()), from: other)
            }
            try await channel.eventLoop.submit {
                let sent = piece.withUnsafeBytes { output.value.send($0, over: channel) }
                guard sent < piece.count else { return }
                wasQueued.value = true
                output.value.noteQueued()
                channel.writeAndFlush(ByteBuffer(bytes: piece[sent...]), promise: nil)
            }.get()
        }
        try await Self.expect(Array(pieces[350...].joined()), from: other)
        #expect(try await channel.eventLoop.submit { wasQueued.value }.get())
        // All has been taken, so that the next one goes straight again.
        let isBehind = try await channel.eventLoop.submit { output.value.isBehind(channel) }.get()
        #expect(!isBehind)
        try await channel.close()
    }

    @Test("are none where there is no descriptor, or the channel has closed")
    func closed() async throws {
        var ends: [CInt] = [-1, -1]
        try #require(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0)
        defer { close(ends[1]) }
        let channel = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .withConnectedSocket(ends[0]).get()
        let descriptor = ends[0]
        func send(over descriptor: CInt?) async throws -> Int {
            try await channel.eventLoop.submit {
                var output = StraightOutput(descriptor)
                return [UInt8]([1, 2, 3]).withUnsafeBytes { output.send($0, over: channel) }
            }.get()
        }
        #expect(try await send(over: nil) == 0)
        #expect(try await send(over: descriptor) == 3)
        try await channel.close()
        #expect(try await send(over: descriptor) == 0)
    }

    /// Reads as many bytes, on a thread of its own.
    private static func expect(_ expected: [UInt8], from descriptor: CInt) async throws {
        let found = try await NIOThreadPool.singleton.runIfActive {
            var found = [UInt8](repeating: 0, count: expected.count)
            var count = 0
            while count < found.count {
                let got = found.withUnsafeMutableBytes { read(descriptor, $0.baseAddress! + count, $0.count - count) }
                guard got > 0 else { break }
                count += got
            }
            return Array(found[..<count])
        }
        #expect(found == expected)
    }
}
