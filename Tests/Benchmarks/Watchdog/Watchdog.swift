import CWatchdog
import Glibc
import NIOCore
import NIOHTTP1
import NIOPosix

/// The yardstick for a process per request: a server of the same kind as Apus, on SwiftNIO, that runs a program for each
/// request with fork, execve and waitpid, on a thread that waits for it. It checks nothing, limits nothing and logs
/// nothing.
///
/// Usage: Watchdog PORT PROGRAM [ARGUMENT…]
@main
enum Watchdog {
    static func main() async throws {
        guard CommandLine.arguments.count > 2, let port = Int(CommandLine.arguments[1]) else { exit(EX_USAGE) }
        signal(SIGPIPE, SIG_IGN)
        let program = Program(Array(CommandLine.arguments.dropFirst(2)))
        let group = MultiThreadedEventLoopGroup(numberOfThreads: System.coreCount)
        let channel = try await ServerBootstrap(group: group)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline()
                    try channel.pipeline.syncOperations.addHandler(RequestHandler(program))
                }
            }
            .bind(host: "127.0.0.1", port: port).get()
        try await channel.closeFuture.get()
    }
}

/// Runs the program once for each body.
final class Program: @unchecked Sendable {
    // `@unchecked`: never changed, and never freed.
    private static let most = 1 << 20
    private let command: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>
    private let threads = NIOThreadPool(numberOfThreads: 64)

    init(_ arguments: [String]) {
        command = .allocate(capacity: arguments.count + 1)
        for (index, argument) in arguments.enumerated() { command[index] = strdup(argument) }
        command[arguments.count] = nil
        threads.start()
    }

    func run(_ body: ByteBuffer, on loop: any EventLoop) -> EventLoopFuture<ByteBuffer?> {
        threads.runIfActive(eventLoop: loop) { [self] in
            withUnsafeTemporaryAllocation(of: CChar.self, capacity: Self.most) { output in
                let count = body.withUnsafeReadableBytes {
                    watchdog_run(command, $0.baseAddress, $0.count, output.baseAddress, Self.most)
                }
                return count < 0 ? nil : ByteBuffer(bytes: UnsafeRawBufferPointer(output)[..<count])
            }
        }
    }
}

final class RequestHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private let program: Program
    private var body = ByteBuffer()

    init(_ program: Program) { self.program = program }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head: body.clear()
        case .body(var part): body.writeBuffer(&part)
        case .end:
            program.run(body, on: context.eventLoop).assumeIsolated().whenSuccess { output in
                var head = HTTPResponseHead(version: .http1_1, status: output == nil ? .badGateway : .ok)
                head.headers.add(name: "content-length", value: "\(output?.readableBytes ?? 0)")
                context.write(self.wrapOutboundOut(.head(head)), promise: nil)
                context.write(self.wrapOutboundOut(.body(.byteBuffer(output ?? ByteBuffer()))), promise: nil)
                context.writeAndFlush(self.wrapOutboundOut(.end(nil)), promise: nil)
            }
        }
    }
}
