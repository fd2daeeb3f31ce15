import Events
import NIOCore
import NIOHTTP1

/// One request to a worker's server, and its answer on the way to whoever waits for it. Confined to the lane's loop.
final class HTTPExchange: @unchecked Sendable {
    // `@unchecked`: every `var` is touched on the lane's loop alone.
    typealias Tell = (Result<Answer, CallFailure>) -> Void

    let request: UpstreamRequest
    let invocation: InvocationID?
    private let lane: Lane
    var state: ExchangeState
    /// The one on which it runs.
    var connection: UpstreamConnection?
    /// Who waits for the answer; `nil` once it is given.
    var tell: Tell?
    /// The caller has gone before it began.
    var isCancelled = false
    private var download: BodyStream?
    private var upload: Task<Void, Never>?
    /// Ends the call when its time is up.
    var deadline: Scheduled<Void>?
    /// The reader of the response has gone.
    var onAbandoned: () -> Void = {}

    init(_ request: UpstreamRequest, invocation: InvocationID? = nil, on lane: Lane) {
        self.request = request
        self.invocation = invocation
        self.lane = lane
        state = ExchangeState(request.expectation)
    }

    /// Whether it can be sent a second time: nothing of an answer has come, and the request is all here and allows it.
    var mayStartAgain: Bool { request.isReplayable && !state.hasBegun && !isCancelled }

    func startAgain() {
        state = ExchangeState(request.expectation)
        connection = nil
    }

    // MARK: The answer

    /// The response begins.
    func open(_ head: ResponseHead, _ bytes: ByteBuffer) {
        let stream = makeStream()
        download = stream
        answer(.success(.response(head, .stream(stream))))
        write(bytes)
    }

    func write(_ bytes: ByteBuffer) {
        if download?.write(bytes) == false { connection?.pause(true) }
    }

    /// The response has come as a whole.
    func respond(_ head: ResponseHead, _ bytes: ByteBuffer, trailers: [HeaderField]) {
        // A response to HEAD that names no length must not get one.
        let isUnsized = request.head.method == .HEAD && head.headers.first("Content-Length") == nil
        guard !trailers.isEmpty || isUnsized else { return answer(.success(.response(head, .bytes(bytes)))) }
        let stream = BodyStream()
        stream.write(bytes)
        stream.finish(trailers: trailers)
        answer(.success(.response(head, .stream(stream))))
    }

    func acknowledge(status: Int, _ headers: [HeaderField]) {
        let failure = CallFailure(of: "the server", answering: status, headers, now: .now())
        answer(failure.map { .failure($0) } ?? .success(.acknowledged))
    }

    func finish(trailers: [HeaderField]) { download?.finish(trailers: trailers) }

    /// Tells whoever waits, or who reads the response already.
    func fail(_ failure: CallFailure) {
        answer(.failure(failure))
        download?.fail(failure)
    }

    /// `nil`: the caller hears nothing from here.
    private func answer(_ answer: Result<Answer, CallFailure>) {
        tell?(answer)
        tell = nil
    }

    private func makeStream() -> BodyStream {
        BodyStream { [weak self] in
            guard let self else { return }
            lane.run { self.connection?.pause(false) }
        } onCancel: { [weak self] in
            guard let self else { return }
            lane.run { self.onAbandoned() }
        }
    }

    // MARK: The request's body

    /// Sends what follows the request's head, at the server's pace.
    func startUpload(
        _ send: @escaping @Sendable (ByteBuffer) async throws -> Void,
        end: @escaping @Sendable ([HeaderField]) async throws -> Void
    ) {
        guard case .stream(let body) = request.body else { return }
        // Unstructured: the server may answer while it reads. `stop` ends it.
        upload = Task(executorPreference: lane) { [self] in
            do {
                while let chunk = try await body.next() { try await send(chunk) }
                try await end(body.trailers.filter(\.canBeTrailer))
            } catch is ChannelError {
                // The server takes no more; what it answers, or its end, is read by others.
            } catch is IOError {
            } catch {
                abortUpload()
            }
        }
    }

    /// The body is not complete: the server must not take what came for all of it.
    private func abortUpload() {
        guard !state.isOver else { return }
        fail(request.body.cancellation)
        state.abandon()
        connection?.close()
    }

    /// Nothing more is sent, and no time limit holds.
    func stop() {
        deadline?.cancel()
        upload?.cancel()
        if case .stream(let body) = request.body { body.cancel() }
    }
}
