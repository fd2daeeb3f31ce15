import NIOCore
import Support
import Synchronization
import Testing
import Workers

@Suite("A body stream")
struct BodyStreamTests {
    struct Broken: Error, Equatable {}

    @Test("delivers chunks in order, then the end")
    func order() async throws {
        let stream = BodyStream()
        for text in ["a", "bc", "", "d"] { stream.write(ByteBuffer(string: text)) }
        stream.finish()
        #expect(try await contents(of: stream) == "abcd")
        #expect(try await stream.next() == nil)
    }

    @Test("hands a chunk to a consumer that waits for it")
    func waiting() async throws {
        let stream = BodyStream()
        async let text = contents(of: stream)
        stream.write(ByteBuffer(string: "late"))
        stream.finish()
        #expect(try await text == "late")
    }

    @Test("asks the producer to pause when it is full, and wakes it once when half of it is read")
    func backPressure() async throws {
        let demands = Mutex(0)
        let stream = BodyStream(onDemand: { demands.withLock { $0 += 1 } })
        let quarter = ByteBuffer(repeating: 0, count: BodyStream.highWater / 4)
        for _ in 0..<3 { #expect(stream.write(quarter)) }
        #expect(!stream.write(quarter))
        _ = try await stream.next()
        #expect(demands.withLock { $0 } == 0)
        for _ in 0..<3 { _ = try await stream.next() }
        #expect(demands.withLock { $0 } == 1)
    }

    @Test("asks the producer to pause when there are many chunks, however small")
    func smallChunks() async throws {
        let stream = BodyStream()
        let most = (1...2000).first { _ in !stream.write(ByteBuffer(repeating: 0, count: 1)) }
        #expect(most == 1024)
    }

    @Test("keeps of a small piece no more than that")
    func smallPiece() async throws {
        let stream = BodyStream()
        let read = ByteBuffer(repeating: 7, count: 1 << 20)
        stream.write(try #require(read.getSlice(at: 0, length: 5)))
        stream.write(read)
        let piece = try #require(try await stream.next())
        #expect(piece == ByteBuffer(repeating: 7, count: 5))
        #expect(piece.storageCapacity < 1024)
        #expect(try await stream.next() == read)
    }

    @Test("wakes a producer whose last chunk was on its way when it was told to pause")
    func lateChunk() async throws {
        let woken = Mutex(0)
        let stream = BodyStream { woken.withLock { $0 += 1 } }
        let quarter = ByteBuffer(repeating: 0, count: BodyStream.highWater / 4)
        for _ in 0..<4 { stream.write(quarter) }
        _ = try await stream.next()
        let hasRoom = stream.write(ByteBuffer(repeating: 0, count: 1))
        #expect(!hasRoom)
        for _ in 0..<4 { _ = try await stream.next() }
        #expect(woken.withLock { $0 } == 1)
    }

    @Test("meets a failure after the chunks that are there")
    func failure() async throws {
        let stream = BodyStream()
        stream.write(ByteBuffer(string: "good"))
        stream.fail(Broken())
        stream.finish()
        #expect(try await stream.next() == ByteBuffer(string: "good"))
        await #expect(throws: Broken.self) { try await stream.next() }
    }

    @Test("says what its producer has failed with, also when the consumer has left")
    func keptFailure() {
        let stream = BodyStream()
        #expect(stream.failure == nil)
        stream.fail(Broken())
        stream.cancel()
        #expect(stream.failure is Broken)
    }

    @Test("tells the producer once that the consumer is gone, and swallows what comes later")
    func cancelled() async throws {
        let cancels = Mutex(0)
        let stream = BodyStream(onCancel: { cancels.withLock { $0 += 1 } })
        stream.cancel()
        stream.cancel()
        #expect(cancels.withLock { $0 } == 1)
        #expect(stream.write(ByteBuffer(repeating: 0, count: BodyStream.highWater * 2)))
        await #expect(throws: CancellationError.self) { try await stream.next() }
    }

    @Test("tells nobody of a cancellation after its end")
    func cancelledAfterEnd() {
        let stream = BodyStream(onCancel: { Issue.record("the producer had ended it") })
        stream.finish()
        stream.cancel()
    }

    @Test("lets a cancelled task go and keeps the chunks for the next")
    func cancelledTask() async throws {
        let stream = BodyStream()
        let reader = Task { try await stream.next() }
        reader.cancel()
        await #expect(throws: CancellationError.self) { try await reader.value }
        stream.write(ByteBuffer(string: "kept"))
        #expect(try await stream.next() == ByteBuffer(string: "kept"))
    }

    @Test("carries every byte between two threads, never holding more than its bound")
    func transport() async throws {
        let demand = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        let stream = BodyStream(onDemand: { demand.continuation.yield() })
        let chunk = ByteBuffer(repeating: 7, count: 10_000)
        async let total = count(of: stream)
        for _ in 0..<1000 where !stream.write(chunk) {
            for await _ in demand.stream { break }
        }
        stream.finish()
        #expect(try await total == 10_000_000)
    }

    private func contents(of stream: BodyStream) async throws -> String {
        var all = ByteBuffer()
        while var chunk = try await stream.next() { all.writeBuffer(&chunk) }
        return String(buffer: all)
    }

    private func count(of stream: BodyStream) async throws -> Int {
        var total = 0
        while let chunk = try await stream.next() { total += chunk.readableBytes }
        return total
    }
}
