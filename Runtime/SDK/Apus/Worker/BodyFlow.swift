/// The body that comes in: what has arrived and not been read, and what the host may still send.
struct InboundBody {
    enum Next {
        /// `credit`: bytes to grant the host, 0 for not yet.
        case chunk([UInt8], credit: UInt32)
        case end
        case failed(any Error)
        case wait
    }

    private let window: Int
    private var allowance: Int
    private var waiting: [UInt8] = []
    private var consumed = 0
    private var ended = false
    private var failure: (any Error)?

    init(window: Int) {
        self.window = window
        allowance = window
    }

    /// Takes bytes from the host. `false` when it sent more than it may, or after the end.
    mutating func receive(_ bytes: UnsafeRawBufferPointer, end: Bool) -> Bool {
        guard !ended, bytes.count <= allowance else { return false }
        allowance -= bytes.count
        if !bytes.isEmpty { waiting.append(contentsOf: bytes) }
        ended = end
        return true
    }

    mutating func fail(_ error: any Error) {
        if failure == nil { failure = error }
    }

    /// What the reader gets. Credit is granted by half windows, so that small chunks don't cost a frame each.
    mutating func next() -> Next {
        if !waiting.isEmpty {
            let chunk = waiting
            waiting = []
            return .chunk(chunk, credit: grant(for: chunk.count))
        }
        if let failure { return .failed(failure) }
        return ended ? .end : .wait
    }

    private mutating func grant(for count: Int) -> UInt32 {
        consumed += count
        guard !ended, consumed >= window / 2 else { return 0 }
        defer { consumed = 0 }
        allowance += consumed
        return UInt32(consumed)
    }
}

/// How much of the body that goes out the host takes now.
struct OutboundWindow {
    /// One frame carries no more, so that the calls of a worker share its socket.
    static let largestChunk = 64 << 10

    private(set) var credit: Int

    /// Takes up to `count` bytes from the window; 0 means to wait for credit.
    mutating func take(_ count: Int) -> Int {
        let taken = min(count, credit, Self.largestChunk)
        credit -= taken
        return taken
    }

    mutating func grant(_ bytes: UInt32) { credit += Int(bytes) }
}
