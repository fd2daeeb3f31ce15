import Events
import NIOCore

/// What a `BodyStream` decides: who waits for whom, and when. Knows no threads.
///
/// `Consumer` stands for whoever waits for a chunk.
struct BodyBuffer<Consumer> {
    enum End {
        case finished
        case failed(any Error)
        case cancelled
    }

    /// What the consumer gets.
    enum Delivery {
        case chunk(ByteBuffer, wakesProducer: Bool)
        case end
        case failure(any Error)
    }

    private var chunks = CircularBuffer<ByteBuffer>()
    private var end: End?
    /// What the producer has failed with.
    private(set) var failure: (any Error)?
    /// The producer was told to pause and has not been woken yet.
    private var producerPauses = false
    private var consumer: Consumer?
    /// What `chunks` weigh.
    private var size = 0
    private(set) var trailers: [HeaderField] = []

    /// Its bytes, but no fewer than what it takes to keep one, so that memory is bounded also when they come one by one.
    private static func weight(of chunk: ByteBuffer) -> Int { max(256, chunk.readableBytes) }

    /// Whether nothing can come in any more.
    var isEnded: Bool { end != nil }

    /// Adds a chunk, or hands it to the consumer that waits for one.
    mutating func write(_ chunk: ByteBuffer) -> (hasRoom: Bool, handOver: Consumer?) {
        // An empty chunk says nothing, and whoever has cancelled must not hold up the producer.
        guard end == nil, chunk.readableBytes > 0 else { return (!producerPauses, nil) }
        if let waiting = takeConsumer() { return (true, waiting) }
        let weight = Self.weight(of: chunk)
        // A small piece of what was read at once would keep all of that.
        chunks.append(chunk.storageCapacity > 4 * weight ? ByteBuffer(bytes: chunk.readableBytesView) : chunk)
        size += weight
        // A producer that was told to pause may have had a chunk on its way; it pauses until it is woken.
        if size >= BodyStream.highWater { producerPauses = true }
        return (!producerPauses, nil)
    }

    /// Ends the stream from the producer's side; the first end counts. Returns the consumer to be told at once.
    mutating func finish(_ end: End, trailers: [HeaderField] = []) -> Consumer? {
        guard self.end == nil else { return nil }
        self.end = end
        if case .failed(let error) = end { failure = error }
        self.trailers = trailers
        return takeConsumer()
    }

    /// Ends the stream from the consumer's side. Returns whether the producer has to hear of it.
    mutating func cancel() -> (tellsProducer: Bool, consumer: Consumer?) {
        let tells = end == nil
        end = .cancelled
        chunks.removeAll(keepingCapacity: false)
        size = 0
        producerPauses = false
        return (tells, takeConsumer())
    }

    /// What is there for the consumer now; `nil` when it has to wait.
    mutating func next() -> Delivery? {
        guard let chunk = chunks.popFirst() else {
            switch end {
            case nil: return nil
            case .finished: return .end
            case .failed(let error): return .failure(error)
            case .cancelled: return .failure(CancellationError())
            }
        }
        size -= Self.weight(of: chunk)
        let wakes = producerPauses && size <= BodyStream.highWater / 2
        if wakes { producerPauses = false }
        return .chunk(chunk, wakesProducer: wakes && end == nil)
    }

    /// Notes who waits, after `next()` gave nothing.
    mutating func wait(_ consumer: Consumer) {
        precondition(self.consumer == nil, "a body has one consumer, which awaits one chunk at a time")
        self.consumer = consumer
    }

    /// The consumer, if one waits, which then waits no more.
    mutating func takeConsumer() -> Consumer? {
        defer { consumer = nil }
        return consumer
    }
}
