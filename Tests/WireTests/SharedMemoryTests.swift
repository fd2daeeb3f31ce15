import Foundation
import Support
import Synchronization
import Testing
import Wire

@Suite("Shared memory", .timeLimit(.minutes(2)))
struct SharedMemoryTests {
    private let host: SharedMemory
    private let worker: SharedMemory
    /// For what no side would write.
    private let words: UnsafeMutablePointer<UInt32>

    init() throws {
        let file = try #require(tmpfile())
        defer { fclose(file) }
        let descriptor = fileno(file)
        try #require(ftruncate(descriptor, SharedMemory.size) == 0)
        host = try SharedMemory(Mapping(descriptor), as: .host)
        worker = try SharedMemory(Mapping(descriptor), as: .worker)
        let mapped = mmap(nil, SharedMemory.size, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0)
        words = try #require(mapped).assumingMemoryBound(to: UInt32.self)
    }

    @Test("carries bytes both ways, in their order")
    func bothWays() throws {
        #expect(try host.send([1, 2, 3]) == 3)
        #expect(try host.send([4]) == 1)
        #expect(try worker.send([5, 6]) == 2)
        #expect(worker.hasInput)
        #expect(try worker.readableBytes == 4)
        #expect(try worker.receive(3) == [1, 2, 3])
        #expect(try worker.receive(3) == [4])
        #expect(!worker.hasInput)
        #expect(try worker.receive(3) == [])
        #expect(try host.receive(9) == [5, 6])
    }

    @Test("takes what it has room for, and the rest later, past its end and its beginning")
    func full() throws {
        let bytes = (0..<300_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        var (sent, received) = (0, [UInt8]())
        while received.count < bytes.count {
            sent += try host.send(Array(bytes[sent...]))
            #expect(sent == bytes.count || sent - received.count == 128 << 10)
            received += try worker.receive(50_000)
        }
        #expect(received == bytes)
    }

    @Test("tells the host what calls take, of which the later count more")
    func callTimes() {
        #expect(host.callTimes.mean == 0)
        worker.callTimes.add(1)
        #expect(host.callTimes.mean == 1)
        for _ in 0..<2000 { worker.callTimes.add(10_000) }
        #expect((9800...10_000).contains(host.callTimes.mean))
        for _ in 0..<2000 { worker.callTimes.add(1000) }
        #expect((1000...1200).contains(host.callTimes.mean))
        for _ in 0..<2000 { worker.callTimes.add(.max / 2) }
        #expect(host.callTimes.mean == .max)
    }

    @Test("gives each call that is ahead to one side")
    func callsAhead() {
        #expect(host.callsAhead.put(1))
        #expect(!host.callsAhead.put(9), "its place is taken")
        #expect(!worker.callsAhead.take(9))
        #expect(host.callsAhead.contains(1))
        #expect(worker.callsAhead.take(1))
        #expect(!host.callsAhead.take(1))
        #expect(!host.callsAhead.contains(1))
        #expect(host.callsAhead.put(9))
        #expect(host.callsAhead.take(9))
        #expect(!worker.callsAhead.take(9))
    }

    @Test("gives each call that is ahead to one side, also when both take it at once")
    func callsTakenAtOnce() async {
        let (ours, theirs) = (host.callsAhead, worker.callsAhead)
        for first in stride(from: UInt32(1), to: 40_000, by: 8) {
            let calls = first..<first + 8
            for call in calls { #expect(ours.put(call)) }
            // From both ends, so that they meet.
            async let back = calls.reversed().count { ours.take($0) }
            async let begun = calls.count { theirs.take($0) }
            let taken = await back + begun
            #expect(taken == 8)
        }
    }

    @Test("says once that the other side is to be woken, and only when it sleeps")
    func bells() throws {
        #expect(try !host.rings(sending: [1]))
        #expect(!worker.sleeps(reading: true, writing: false), "there is something to read")
        #expect(try worker.receive(1) == [1])
        #expect(worker.sleeps(reading: true, writing: false))
        #expect(try host.rings(sending: [2]))
        #expect(try !host.rings(sending: [3]))
        worker.wakes()
        #expect(try !host.rings(sending: [4]))
    }

    @Test("wakes who waits for room, and no one who does not")
    func room() throws {
        _ = try host.send([UInt8](repeating: 0, count: 128 << 10))
        #expect(host.sleeps(reading: false, writing: true))
        #expect(try worker.rings(receiving: 1))
        #expect(try !worker.rings(receiving: 1))
        host.wakes()
        #expect(!host.sleeps(reading: false, writing: true), "there is room")
    }

    @Test(
        "refuses positions that cannot be",
        arguments: [(word: 0, value: 131_073), (word: 0, value: UInt32.max), (word: 0, value: 1 << 31)])
    func impossibleInput(word: Int, value: UInt32) throws {
        words[word] = value
        #expect(throws: WireError.self) { try worker.readableBytes }
        #expect(throws: WireError.self) { try worker.receive(10) }
    }

    @Test("refuses to write where more was taken than written")
    func impossibleRoom() throws {
        words[16] = 1
        #expect(throws: WireError.self) { try host.send([1]) }
    }

    @Test("loses and doubles nothing between threads that sleep and wake each other")
    func threads() async throws {
        // As many sleeps as possible: pieces of all sizes, a reader that is now faster, now slower than the writer.
        let total = 8 << 20
        let toReader = DispatchSemaphore(value: 0)
        let toWriter = DispatchSemaphore(value: 0)
        let (host, worker) = (self.host, self.worker)
        async let sending: Void = thread {
            var random = SplitMix(seed: 1)
            var sent = 0
            while sent < total {
                let size = min(total - sent, Int(random.next() % 40_000) + 1)
                let piece = (sent..<sent + size).map { UInt8(truncatingIfNeeded: $0 &* 7) }
                var rest = piece[...]
                while !rest.isEmpty {
                    let (count, rings) = try rest.withUnsafeBytes { try host.send($0) }
                    rest = rest.dropFirst(count)
                    if rings { toReader.signal() }
                    if count == 0, host.sleeps(reading: false, writing: true) { toWriter.wait() }
                    host.wakes()
                }
                sent += size
            }
        }
        async let receiving: Int = thread {
            var random = SplitMix(seed: 2)
            var (received, wrong) = (0, 0)
            while received < total {
                var buffer = [UInt8](repeating: 0, count: Int(random.next() % 60_000) + 1)
                let (count, rings) = try buffer.withUnsafeMutableBytes { try worker.receive(into: $0) }
                for index in 0..<count where buffer[index] != UInt8(truncatingIfNeeded: (received + index) &* 7) {
                    wrong += 1
                }
                received += count
                if rings { toWriter.signal() }
                if count == 0, worker.sleeps(reading: true, writing: false) { toReader.wait() }
                worker.wakes()
            }
            return wrong
        }
        try await sending
        let wrong = try await receiving
        #expect(wrong == 0)
    }
}

/// Runs `body` on a thread of its own.
func thread<Result: Sendable>(_ body: @escaping @Sendable () throws -> Result) async throws -> Result {
    try await withCheckedThrowingContinuation { continuation in
        Thread.detachNewThread { continuation.resume(with: Swift.Result { try body() }) }
    }
}

struct SplitMix {
    private var state: UInt64
    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = (state ^ state >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }
}

extension SharedMemory {
    fileprivate func send(_ bytes: [UInt8]) throws -> Int { try bytes.withUnsafeBytes { try send($0).count } }

    fileprivate func rings(sending bytes: [UInt8]) throws -> Bool { try bytes.withUnsafeBytes { try send($0).rings } }

    fileprivate func receive(_ count: Int) throws -> [UInt8] {
        var buffer = [UInt8](repeating: 0, count: count)
        let received = try buffer.withUnsafeMutableBytes { try receive(into: $0).count }
        return Array(buffer[..<received])
    }

    fileprivate func rings(receiving count: Int) throws -> Bool {
        var buffer = [UInt8](repeating: 0, count: count)
        return try buffer.withUnsafeMutableBytes { try receive(into: $0).rings }
    }
}
