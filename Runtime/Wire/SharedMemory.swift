import Synchronization

/// One side's view of the memory through which host and worker send each other their frames: `docs/worker-protocol.md`,
/// "Shared memory". To be used by one thread at a time.
///
/// The other side may write anything there at any time. What is read is copied before anybody looks at it, and of what the
/// other side says only how far it is counts, which is checked.
package final class SharedMemory: @unchecked Sendable {
    // `@unchecked`: of whoever has it, one thread uses it at a time.

    package enum Side { case host, worker }

    /// What goes over the socket from when on frames go through memory: each byte is one.
    package static let bell: UInt8 = 1
    /// Bytes of a mapping: a ring for each direction.
    package static let size = 2 * Ring.size

    private let mapping: Mapping
    private var input: Ring
    private var output: Ring
    /// The calls that the host has sent ahead of their turn.
    package let callsAhead: CallsAhead
    /// What the worker's calls take.
    package let callTimes: CallTimes

    /// - Parameter mapping: of `size` bytes.
    package init(_ mapping: Mapping, as side: Side) throws(WireError) {
        guard mapping.size == Self.size else {
            throw WireError("\(mapping.size) bytes of shared memory, where there are \(Self.size)")
        }
        self.mapping = mapping
        let (toWorker, toHost) = (Ring(at: mapping.start), Ring(at: mapping.start + Ring.size))
        (input, output) = side == .host ? (toHost, toWorker) : (toWorker, toHost)
        callsAhead = CallsAhead(at: mapping.start + Ring.spare)
        callTimes = CallTimes(at: mapping.start + Ring.size + Ring.spare)
    }

    /// Writes as many of the bytes as there is room for. `rings`: the other side sleeps until something comes; it is to be
    /// woken, which is said once.
    package func send(_ bytes: UnsafeRawBufferPointer) throws(WireError) -> (count: Int, rings: Bool) {
        let count = try output.write(bytes)
        return (count, count > 0 && output.wakesReader())
    }

    /// Reads as many bytes as are there and fit. `rings`: the other side sleeps until it has room; it is to be woken, which
    /// is said once.
    package func receive(
        into buffer: UnsafeMutableRawBufferPointer
    ) throws(WireError) -> (count: Int, rings: Bool) {
        let count = try input.read(into: buffer)
        return (count, count > 0 && input.wakesWriter())
    }

    /// Bytes that can be read.
    package var readableBytes: Int { get throws(WireError) { try input.readable } }

    /// Whether something can be read.
    package var hasInput: Bool { input.isReadable }

    /// Says that this side is about to sleep: until something comes, if `reading`, and until there is room, if `writing`.
    /// `false`: that is so already, and nothing was said.
    package func sleeps(reading: Bool, writing: Bool) -> Bool {
        if reading { input.readerSleeps() }
        if writing { output.writerSleeps() }
        guard reading && input.isReadable || writing && output.isWritable else { return true }
        wakes()
        return false
    }

    /// Says that this side is awake: nobody need wake it.
    package func wakes() {
        input.readerWakes()
        output.writerWakes()
    }
}

/// Calls that the host has sent a worker ahead of their turn: whoever takes one first has it, the worker to run it, or the
/// host to give it to another.
///
/// It has words in the memory that both share, and must not outlive it.
package struct CallsAhead: @unchecked Sendable {
    // `@unchecked`: a pointer to atomic words, which any thread may use.

    /// Calls whose numbers are the same modulo this have the same place.
    private static let capacity: UInt32 = 8

    private typealias Word = UnsafeMutablePointer<Atomic<UInt32>>
    private let words: Word

    fileprivate init(at memory: UnsafeMutableRawPointer) {
        words = memory.assumingMemoryBound(to: Atomic<UInt32>.self)
    }

    /// For the host, before it sends the call. `false`: its place is taken, and it cannot be sent ahead.
    package func put(_ call: UInt32) -> Bool {
        word(call).pointee.compareExchange(expected: 0, desired: call, ordering: .acquiringAndReleasing).exchanged
    }

    /// Whether nobody has taken it before.
    package func take(_ call: UInt32) -> Bool {
        word(call).pointee.compareExchange(expected: call, desired: 0, ordering: .acquiringAndReleasing).exchanged
    }

    /// Whether nobody has taken it.
    package func contains(_ call: UInt32) -> Bool { word(call).pointee.load(ordering: .acquiring) == call }

    private func word(_ call: UInt32) -> Word { words + Int(call % Self.capacity) }
}

/// What the calls of a worker take that runs one at a time, as it says.
///
/// It has a word in the memory that both share, and must not outlive it.
package struct CallTimes: @unchecked Sendable {
    // `@unchecked`: a pointer to an atomic word, which any thread may use.

    /// Of so many calls, about, is the mean.
    private static let calls: Int64 = 128

    private let word: UnsafeMutablePointer<Atomic<UInt32>>

    fileprivate init(at memory: UnsafeMutableRawPointer) {
        word = memory.assumingMemoryBound(to: Atomic<UInt32>.self)
    }

    /// For the worker: a call is over that took so many nanoseconds.
    package func add(_ time: Int64) {
        let before = Int64(mean)
        let now = before == 0 ? time : before + (time - before) / Self.calls
        // The host reads the line beside it for each call.
        if now != before { word.pointee.store(UInt32(clamping: max(1, now)), ordering: .relaxed) }
    }

    /// In nanoseconds, the later calls counting more; 0 as long as the worker has not said so.
    package var mean: UInt32 { word.pointee.load(ordering: .relaxed) }
}

/// One direction, seen from one of its ends.
private struct Ring {
    /// A power of two.
    static let capacity: UInt32 = 128 << 10
    /// Each word has a cache line of its own.
    private static let line = 64
    private static let header = 4 * line
    /// Where 32 bytes are that it does not use, in the line of the last word.
    static let spare = header - 32
    static let size = header + Int(capacity)

    private typealias Word = UnsafeMutablePointer<Atomic<UInt32>>
    // How many bytes were ever written and taken; they overflow.
    private let written: Word
    private let taken: Word
    // 1: it sleeps.
    private let reader: Word
    private let writer: Word
    private let data: UnsafeMutableRawPointer
    /// How far this end is: not what the memory says of it.
    private var position: UInt32 = 0

    init(at memory: UnsafeMutableRawPointer) {
        func word(_ index: Int) -> Word { (memory + index * Self.line).assumingMemoryBound(to: Atomic<UInt32>.self) }
        (written, taken, reader, writer) = (word(0), word(1), word(2), word(3))
        data = memory + Self.header
    }

    // MARK: For the writer

    mutating func write(_ bytes: UnsafeRawBufferPointer) throws(WireError) -> Int {
        let used = position &- taken.pointee.load(ordering: .acquiring)
        guard used <= Self.capacity else { throw Self.broken }
        let count = min(bytes.count, Int(Self.capacity - used))
        guard count > 0, let source = bytes.baseAddress else { return 0 }
        let first = toEdge(count)
        (data + offset).copyMemory(from: source, byteCount: first)
        data.copyMemory(from: source + first, byteCount: count - first)
        position &+= UInt32(count)
        written.pointee.store(position, ordering: .sequentiallyConsistent)
        return count
    }

    var isWritable: Bool { position &- taken.pointee.load(ordering: .sequentiallyConsistent) < Self.capacity }

    func wakesReader() -> Bool { Self.wakes(reader) }
    func writerSleeps() { writer.pointee.store(1, ordering: .sequentiallyConsistent) }
    func writerWakes() { writer.pointee.store(0, ordering: .relaxed) }

    // MARK: For the reader

    mutating func read(into buffer: UnsafeMutableRawBufferPointer) throws(WireError) -> Int {
        let count = min(buffer.count, try readable)
        guard count > 0, let target = buffer.baseAddress else { return 0 }
        let first = toEdge(count)
        target.copyMemory(from: data + offset, byteCount: first)
        (target + first).copyMemory(from: data, byteCount: count - first)
        position &+= UInt32(count)
        taken.pointee.store(position, ordering: .sequentiallyConsistent)
        return count
    }

    var readable: Int {
        get throws(WireError) {
            let count = written.pointee.load(ordering: .acquiring) &- position
            guard count <= Self.capacity else { throw Self.broken }
            return Int(count)
        }
    }

    var isReadable: Bool { written.pointee.load(ordering: .sequentiallyConsistent) != position }

    func wakesWriter() -> Bool { Self.wakes(writer) }
    func readerSleeps() { reader.pointee.store(1, ordering: .sequentiallyConsistent) }
    func readerWakes() { reader.pointee.store(0, ordering: .relaxed) }

    // MARK: For both

    // Who writes looks at whether the other sleeps afterwards, and who sleeps looks at what was written afterwards: in one
    // order for all, so that one of them sees the other.
    private static func wakes(_ sleeper: Word) -> Bool {
        sleeper.pointee.load(ordering: .sequentiallyConsistent) != 0
            && sleeper.pointee.exchange(0, ordering: .sequentiallyConsistent) != 0
    }

    private var offset: Int { Int(position & (Self.capacity - 1)) }

    /// Those of `count` bytes that lie before the end of the memory; the others are at its beginning.
    private func toEdge(_ count: Int) -> Int { min(count, Int(Self.capacity) - offset) }

    private static let broken = WireError("positions in the shared memory that cannot be")
}
