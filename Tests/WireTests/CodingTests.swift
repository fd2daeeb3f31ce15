import Support
import Testing
import Wire

private func encoded(_ frames: Frame...) -> [UInt8] {
    var writer = ByteWriter()
    for frame in frames { frame.encode(into: &writer) }
    return writer.bytes
}

/// The frame at the beginning of `bytes` with its body, and where the next one begins.
private func decoded(_ bytes: [UInt8]) throws -> (frame: Frame, end: Int)? {
    try bytes.withUnsafeBytes { input in
        var offset = 0
        return try Frame.decode(from: input, at: &offset).map { ($0.owned(input), offset) }
    }
}

@Suite("Frames")
struct CodingTests {
    @Test("of every type survive the way there and back")
    func roundTrip() throws {
        var generator = FrameGenerator(random: SeededGenerator(state: 1))
        for index in 0..<5200 {
            let frame = generator.frame(index)
            let bytes = encoded(frame)
            let result = try #require(try decoded(bytes))
            #expect(result.frame == frame)
            #expect(result.end == bytes.count)
        }
    }

    @Test("follow each other without a gap")
    func sequence() throws {
        var generator = FrameGenerator(random: SeededGenerator(state: 2))
        let frames = (0..<260).map { generator.frame($0) }
        var writer = ByteWriter()
        for frame in frames { frame.encode(into: &writer) }
        let (read, end) = try writer.bytes.withUnsafeBytes { input in
            var offset = 0
            var read: [Frame] = []
            while let frame = try Frame.decode(from: input, at: &offset) { read.append(frame.owned(input)) }
            return (read, offset)
        }
        #expect(read == frames)
        #expect(end == writer.bytes.count)
    }

    @Test("are written behind what was not sent yet, into memory that grows and is given back")
    func writer() {
        var writer = ByteWriter(reserving: 2)
        writer.write("abc")
        writer.write(UInt16(0x0201))
        writer.removeFirst(4, keeping: 0)
        #expect(writer.bytes == Array("abc".utf8) + [1, 2])
        writer.write(UInt8(3))
        writer.removeFirst(6, keeping: 0)
        #expect(writer.bytes == [])
        writer.write([4, 5])
        #expect(writer.bytes == [2, 0, 0, 0, 4, 5])
    }

    @Test("that are not there as a whole wait for the rest")
    func incomplete() throws {
        var generator = FrameGenerator(random: SeededGenerator(state: 3))
        for index in 0..<FrameGenerator.kinds * 2 {
            let bytes = encoded(generator.frame(index))
            for count in 0..<bytes.count { #expect(try decoded([UInt8](bytes[..<count])) == nil) }
        }
    }

    @Test("whose payload is cut or too long are refused, unless a body takes up the difference")
    func wrongLength() {
        var generator = FrameGenerator(random: SeededGenerator(state: 4))
        for index in 0..<FrameGenerator.kinds * 8 {
            let frame = generator.frame(index)
            let bytes = encoded(frame)
            for payload in 0..<bytes.count - Frame.headerSize + 4 where payload != bytes.count - Frame.headerSize {
                var changed = bytes + [0, 0, 0, 0]
                changed.replaceSubrange(0..<4, with: withUnsafeBytes(of: UInt32(payload).littleEndian) { [UInt8]($0) })
                let result = try? decoded(changed)
                if !frame.message.hasBody { #expect(result == nil) }
            }
        }
    }

    @Test("made of garbage never trap, and what decodes means the same when sent again")
    func fuzz() throws {
        var random = SeededGenerator(state: 5)
        var generator = FrameGenerator(random: SeededGenerator(state: 6))
        let frames = (0..<FrameGenerator.kinds * 10).map { encoded(generator.frame($0)) }
        for round in 0..<40_000 {
            var bytes = frames[round % frames.count]
            for _ in 0...random.next() % 4 {
                bytes[Int(random.next() % UInt64(bytes.count))] = UInt8(truncatingIfNeeded: random.next())
            }
            // Most changed lengths ask for more than there is.
            bytes += [UInt8](repeating: 0, count: 64)
            guard let first = (try? decoded(bytes)) ?? nil else { continue }
            let again = try decoded(encoded(first.frame))?.frame
            if again != first.frame { Issue.record("\(first.frame) came back as \(String(describing: again))") }
        }
        for _ in 0..<40_000 {
            let count = Int(random.next() % 200)
            var bytes: [UInt8] = []
            while bytes.count < count { withUnsafeBytes(of: random.next()) { bytes += $0 } }
            bytes.removeLast(bytes.count - count)
            if count > 4 { bytes.replaceSubrange(0..<4, with: [UInt8(count - 4), 0, 0, 0]) }
            _ = try? decoded(bytes)
        }
    }

    @Test("with an impossible length or an unknown type are refused at their header")
    func headers() {
        let long: [UInt8] = [1, 0, 0x80, 0, 5, 0, 0, 0, 0, 0, 0, 0]
        #expect(throws: WireError("a payload of 8388609 bytes; the most is 8388608")) { try decoded(long) }
        let unknown: [UInt8] = [0, 0, 0, 0, 0x77, 0, 0, 0, 0, 0, 0, 0]
        #expect(throws: WireError("unknown frame type 119")) { try decoded(unknown) }
    }

    @Test("that announce more fields or entries than they hold reserve nothing for them")
    func counts() {
        // LOG with 2^32 - 1 fields, STATE-REPLY with as many entries.
        let log: [UInt8] = [9, 0, 0, 0, 0x23, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF]
        let entries: [UInt8] = [10, 0, 0, 0, 0x25, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 3, 0, 0xFF, 0xFF, 0xFF, 0xFF]
        #expect(throws: WireError("the payload ends inside a list of fields")) { try decoded(log) }
        #expect(throws: WireError("the payload ends inside an integer")) { try decoded(entries) }
    }

    @Test("ids read as UUIDs")
    func ids() {
        #expect(
            "\(WireID(high: 0x019A_A3D8_6C00_7000, low: 0x8000_0000_0000_0001))"
                == "019aa3d8-6c00-7000-8000-000000000001")
    }
}

extension Message {
    fileprivate var hasBody: Bool {
        switch self {
        case .call, .body, .response: true
        default: false
        }
    }
}
