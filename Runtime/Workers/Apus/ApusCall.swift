import Events
import NIOCore
import Wire

/// One call on a connection. Confined to the connection's loop.
final class ApusCall: CallRun, @unchecked Sendable {
    // `@unchecked`: made by the caller, then touched on the connection's loop alone.

    struct Operation {
        /// 0 when the handler waits for no reply: where it fails, the call fails.
        let request: UInt32
        let scope: StateScope
        let operation: StateRequest
    }

    let call: Call
    private let connection: ApusConnection
    /// Of no meaning while the call is ahead.
    var deadline: NIODeadline
    var id: UInt32 = 0
    /// The worker was sent it ahead of its turn, and may not have begun it.
    var isAhead = false
    /// Who waits for the answer; `nil` once it is given.
    var end: CallEnd?
    /// The caller has had its answer, or has gone: what the handler still does is of no interest.
    var isAbandoned = false
    /// The caller has gone before the call began.
    var isCancelled = false

    /// State operations that wait for a commit, in the handler's order. An array, since it is empty for most calls, and
    /// then costs nothing.
    var operations: [Operation] = []
    var isCommitting = false
    /// Why an operation failed whose reply nobody waits for.
    var operationFailure: StateError?
    /// What the handler has made of the call, held back until its operations are done.
    var answer: Result<Answer, CallFailure>?

    var upload: Upload
    var download = Download()

    init(_ call: Call, on connection: ApusConnection) {
        self.call = call
        self.connection = connection
        deadline = .now() + .nanoseconds(call.time.nanoseconds)
        upload = Upload(call)
    }

    func begin(_ end: @escaping CallEnd) {
        // Nearly always the caller is there, without a closure to be made.
        if connection.loop.inEventLoop {
            connection.begin(self, end)
        } else {
            connection.loop.execute { self.connection.begin(self, end) }
        }
    }

    func cancel() { connection.loop.execute { self.connection.cancel(self) } }

    /// Tells the caller, unless it has heard already.
    ///
    /// None is forgotten: a call is either turned away by `begin`, or in `calls` until `end`, `recall`, `cancel`, `processEnded`
    /// or `breakContract` tells it.
    ///
    /// - Parameter answer: `nil`: the worker has not begun it, and will not.
    func answer(_ answer: Result<Answer, CallFailure>?) {
        let end = self.end
        self.end = nil
        end?(answer)
    }

    /// Whether its time limit counts.
    var isTimed: Bool { !isAbandoned && !isAhead }

    /// Ends the call for the caller, who may be reading the response's body already.
    func fail(_ failure: CallFailure) {
        isAbandoned = true
        if let end {
            self.end = nil
            // Soon: the caller may do more with this connection, which is in the middle of something.
            connection.loop.execute { end(.failure(failure)) }
        }
        download.stream?.fail(failure)
    }
}

/// The request's body on its way to the worker.
struct Upload {
    /// One frame carries no more, so that the calls of a worker share its socket.
    static let largestChunk = 64 << 10

    /// Bytes that the worker takes now.
    var credit = ApusConnection.window
    var rest: ByteBuffer
    /// Nothing comes after `rest`.
    var isComplete: Bool
    /// The last byte has been sent, or it will not be.
    var isOver = false
    let stream: BodyStream?
    /// Feeds `rest` from `stream`.
    var pump: Task<Void, Never>?
    /// The pump, while it waits until `rest` is sent.
    var pumpWaits: CheckedContinuation<Void, Never>?

    init(_ call: Call) {
        switch (call.invocation.cause, call.body) {
        case (.event(_, let event), _): (rest, isComplete, stream) = (ByteBuffer(bytes: event.data), true, nil)
        case (.request, .bytes(let bytes)): (rest, isComplete, stream) = (bytes, true, nil)
        case (.request, .stream(let body)): (rest, isComplete, stream) = (ByteBuffer(), false, body)
        }
    }

    /// The next bytes that may be sent, and whether they are the last; `nil` when there are none or there is no credit.
    mutating func next() -> (ByteBuffer, end: Bool)? {
        guard !isOver else { return nil }
        let size = min(credit, rest.readableBytes, Self.largestChunk)
        guard size > 0 || rest.readableBytes == 0 && isComplete, let chunk = rest.readSlice(length: size) else {
            return nil
        }
        credit -= size
        isOver = isComplete && rest.readableBytes == 0
        return (chunk, isOver)
    }
}

/// The response's body on its way from the worker.
struct Download {
    var stream: BodyStream?
    /// Bytes that the worker may send still.
    private(set) var allowance = ApusConnection.window
    /// Received and not granted again.
    private var owed = 0

    /// Takes note of bytes. `false` when the worker may not send that many.
    mutating func receive(_ count: Int) -> Bool {
        guard count <= allowance else { return false }
        allowance -= count
        owed += count
        return true
    }

    /// What to grant now that the reader keeps up, by half windows, so that small chunks don't cost a frame each.
    mutating func grant() -> Int {
        guard owed >= ApusConnection.window / 2 else { return 0 }
        defer { owed = 0 }
        allowance += owed
        return owed
    }
}
