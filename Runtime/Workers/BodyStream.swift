package import Events
package import NIOCore
import Synchronization

/// A bounded pipe of bytes between one producer and one consumer, which may live on different lanes.
///
/// The producer learns through `onDemand` that there is room again; the consumer awaits `next()`. Either side may end it
/// early: the producer by `fail`, the consumer by `cancel`. Whoever takes a stream reads it to its end or cancels it:
/// the call behind it goes on until then.
package final class BodyStream: Sendable {
    /// Bytes that may wait in the pipe before the producer is asked to pause. It is woken at half of that.
    package static let highWater = 256 << 10

    private typealias Consumer = CheckedContinuation<ByteBuffer?, any Error>
    private let buffer = Mutex(BodyBuffer<Consumer>())
    private let onDemand: @Sendable () -> Void
    private let onCancel: @Sendable () -> Void

    /// - Parameters:
    ///   - onDemand: called on the consumer's thread.
    ///   - onCancel: called on the consumer's thread, at most once, and never after the producer has ended the stream.
    package init(onDemand: @escaping @Sendable () -> Void = {}, onCancel: @escaping @Sendable () -> Void = {}) {
        self.onDemand = onDemand
        self.onCancel = onCancel
    }

    /// Adds a chunk. Returns whether there is room for more; when not, `onDemand` is called once there is.
    @discardableResult
    package func write(_ chunk: ByteBuffer) -> Bool {
        let (hasRoom, consumer) = buffer.withLock { $0.write(chunk) }
        consumer?.resume(returning: chunk)
        return hasRoom
    }

    /// No more chunks.
    ///
    /// - Parameter trailers: what the producer says after the body (RFC 9110 §6.5).
    package func finish(trailers: [HeaderField] = []) {
        buffer.withLock { $0.finish(.finished, trailers: trailers) }?.resume(returning: nil)
    }

    /// What the producer has said after the body; for the consumer to read once `next()` has given `nil`.
    package var trailers: [HeaderField] { buffer.withLock { $0.trailers } }

    /// Ends the stream with an error, which the consumer meets after the chunks that are there.
    package func fail(_ error: any Error) {
        buffer.withLock { $0.finish(.failed(error)) }?.resume(throwing: error)
    }

    /// What the producer has failed with, also after the consumer has left.
    package var failure: (any Error)? { buffer.withLock { $0.failure } }

    /// The next chunk; `nil` at the end. Throws what the producer failed with, or `CancellationError`, also when the
    /// consumer's task is cancelled while it waits; the stream itself goes on then until `cancel()`.
    package func next() async throws -> ByteBuffer? {
        if let delivery = buffer.withLock({ $0.next() }) { return try accept(delivery) }
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { wait($0) }
        } onCancel: {
            buffer.withLock { $0.takeConsumer() }?.resume(throwing: CancellationError())
        }
    }

    /// The consumer wants no more: `onCancel` is called once, and later writes go nowhere.
    package func cancel() {
        let (tellsProducer, consumer) = buffer.withLock { $0.cancel() }
        consumer?.resume(throwing: CancellationError())
        if tellsProducer { onCancel() }
    }

    private func wait(_ consumer: Consumer) {
        let delivery = buffer.withLock { buffer -> BodyBuffer<Consumer>.Delivery? in
            if let delivery = buffer.next() { return delivery }
            // The cancellation handler runs before this when the task was cancelled already, and finds nobody.
            if Task.isCancelled { return .failure(CancellationError()) }
            buffer.wait(consumer)
            return nil
        }
        guard let delivery else { return }
        consumer.resume(with: Result { try accept(delivery) })
    }

    private func accept(_ delivery: BodyBuffer<Consumer>.Delivery) throws -> ByteBuffer? {
        switch delivery {
        case .chunk(let chunk, let wakesProducer):
            if wakesProducer { onDemand() }
            return chunk
        case .end: return nil
        case .failure(let error): throw error
        }
    }
}
