package import NIOCore

/// A bounded pipe of bytes between one producer and one consumer, which may live on different lanes.
///
/// The producer learns through `onDemand` that there is room again; the consumer awaits `next()`. Either side may end it
/// early: the producer by `fail`, the consumer by `cancel`.
package final class BodyStream: Sendable {
    /// Bytes that may wait in the pipe before the producer is asked to pause.
    package static let highWater = 256 << 10

    package init(onDemand: @escaping @Sendable () -> Void = {}, onCancel: @escaping @Sendable () -> Void = {}) {
        fatalError("seam")
    }

    /// Adds a chunk. Returns whether there is room for more; when not, `onDemand` is called once there is.
    @discardableResult
    package func write(_ chunk: ByteBuffer) -> Bool { fatalError("seam") }

    /// No more chunks.
    package func finish() { fatalError("seam") }

    /// Ends the stream with an error, which the consumer meets after the chunks that are there.
    package func fail(_ error: any Error) { fatalError("seam") }

    /// The next chunk; `nil` at the end. Throws what the producer failed with, or `CancellationError`.
    package func next() async throws -> ByteBuffer? { fatalError("seam") }

    /// The consumer wants no more: `onCancel` is called once, and later writes go nowhere.
    package func cancel() { fatalError("seam") }
}
