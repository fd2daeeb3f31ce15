import Events
import NIOCore
import NIOPosix

/// What the program writes, on its way to the caller.
extension PerCallRun {
    func readOutput(_ descriptor: Int32) {
        process.readSoon(UnreadPipe(descriptor: descriptor, take: receive, end: {}, attach: attachOutput))
    }

    private func attachOutput(_ descriptor: Int32) -> EventLoopFuture<any Channel> {
        let channel = NIOPipeBootstrap(group: process.lane.loop).channelInitializer { [self] channel in
            channel.eventLoop.makeCompletedFuture { [self] in
                try channel.pipeline.syncOperations.addHandler(PipeReader(receive))
            }
        }.takingOwnershipOfDescriptor(input: descriptor)
        channel.assumeIsolated().whenSuccess { [self] in outputChannel = $0 }
        return channel
    }

    private func receive(_ bytes: ByteBuffer) {
        guard !isOver else { return }
        do throws(CallFailure) {
            switch try output.take(bytes) {
            case .wait: break
            case .open(let head, let bytes): open(head, bytes)
            case .more(let bytes): handOn(bytes)
            }
        } catch {
            fail(error)
            process.terminate(because: error.message)
        }
    }

    private func open(_ head: ResponseHead, _ bytes: ByteBuffer) {
        // This holds the stream, so the stream must not hold this; the process does until it ends.
        let stream = BodyStream { [weak self] in
            guard let self else { return }
            process.lane.run { self.pauseOutput(false) }
        } onCancel: { [weak self] in
            guard let self else { return }
            self.cancel()
        }
        self.stream = stream
        handOn(bytes)
        answer(.success(.response(head, .stream(stream))))
    }

    private func handOn(_ bytes: ByteBuffer) {
        if let stream {
            if !stream.write(bytes) { pauseOutput(true) }
        } else {
            bytes.withUnsafeReadableBytes { lines.take($0, print) }
        }
    }

    private func print(_ line: String) {
        process.emit(.stdout, level: "info", text: line, invocation: call.invocation.id)
    }

    func pauseOutput(_ pause: Bool) {
        try? outputChannel?.syncOptions?.setOption(.autoRead, value: !pause)
    }

    /// A program that has announced more than it has written has broken off.
    private func check(_ bytes: ByteBuffer, against head: ResponseHead) throws(CallFailure) {
        guard case .request(let request) = call.invocation.cause, request.method != "HEAD", head.status != 204,
            head.status != 304, let length = head.headers.first("Content-Length").flatMap({ Int($0) }),
            length > bytes.readableBytes
        else { return }
        let message = "the program announced a body of \(length) bytes and wrote \(bytes.readableBytes)"
        throw CallFailure(.contractBroken, message)
    }

    /// The program has ended well.
    func concludeOutput() {
        do throws(CallFailure) {
            switch (try output.end(), isRequest) {
            case (.redirect(let target), true): answer(.success(.redirect(target)))
            case (.response(let head, let bytes), true):
                if stream == nil { try check(bytes, against: head) }
                stream?.finish()
                answer(.success(.response(head, .bytes(bytes))))
            case (.redirect(let target), false):
                throw CallFailure(
                    .handlerFailed, "the program answered the event with a redirect to \(target)", permanent: true)
            case (.response(let head, let bytes), false):
                handOn(bytes)
                lines.finish(print)
                if let failure = CallFailure(of: "the program", answering: head.status, head.headers, now: .now()) {
                    throw failure
                }
                answer(.success(.acknowledged))
            }
        } catch {
            fail(error)
        }
    }
}

/// Hands on what a pipe gives.
private final class PipeReader: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    private let onBytes: (ByteBuffer) -> Void

    init(_ onBytes: @escaping (ByteBuffer) -> Void) { self.onBytes = onBytes }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) { onBytes(unwrapInboundIn(data)) }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
