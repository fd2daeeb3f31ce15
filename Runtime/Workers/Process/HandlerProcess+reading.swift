import Glibc
import NIOCore
import NIOPosix

/// A pipe that nobody reads yet.
struct UnreadPipe {
    let descriptor: Int32
    /// Gets what is in it.
    let take: (ByteBuffer) -> Void
    /// All of it has been taken, and it is closed.
    let end: () -> Void
    /// Reads it from now on, and owns it.
    let attach: (Int32) -> EventLoopFuture<any Channel>
}

/// How a process's pipes are read: by a channel each, unless the process ends within milliseconds. Then what it has left
/// in them is taken at once, which costs a fraction.
extension HandlerProcess {
    private static let patience = TimeAmount.milliseconds(5)
    /// More than this in a pipe whose writer is gone comes from somebody else, who goes on.
    private static let mostLeft = 1 << 20

    /// Reads `descriptor`, which it owns from now on, and gives its lines on.
    func readLines(_ descriptor: Int32, as source: WorkerLine.Source) {
        let reader = OutputReader { [self] line in
            if source == .stderr { lastErrorLine = line }
            emit(source, level: source == .stderr ? "warning" : "info", text: line, invocation: currentInvocation())
        }
        let pipe = UnreadPipe(descriptor: descriptor, take: reader.take, end: reader.finish) { [self] in
            let bootstrap = NIOPipeBootstrap(group: lane.loop).channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(reader) }
            }
            return bootstrap.takingOwnershipOfDescriptor(input: $0)
        }
        readSoon(pipe)
    }

    func readSoon(_ pipe: UnreadPipe) {
        unread.append(pipe)
        guard readTimer == nil, unread.count == 1 else { return }
        readTimer = lane.loop.assumeIsolated().scheduleTask(in: Self.patience) { [self] in
            readTimer = nil
            for pipe in takeUnread() { attach(pipe) }
        }
    }

    /// The process has ended.
    func drainUnread() {
        readTimer?.cancel()
        for pipe in takeUnread() {
            if drain(pipe) {
                close(pipe.descriptor)
                pipe.end()
            } else {
                attach(pipe)
            }
        }
    }

    private func attach(_ pipe: UnreadPipe) { attach(pipe.attach(pipe.descriptor), reading: pipe) }

    private func takeUnread() -> [UnreadPipe] {
        defer { unread = [] }
        return unread
    }

    /// Takes what is there. `false` when more may come: somebody else holds the pipe open.
    @discardableResult
    func drain(_ pipe: UnreadPipe) -> Bool {
        _ = fcntl(pipe.descriptor, F_SETFL, O_NONBLOCK)
        return withUnsafeTemporaryAllocation(byteCount: 64 << 10, alignment: 1) { chunk in
            var taken = 0
            while taken < Self.mostLeft {
                let count = read(pipe.descriptor, chunk.baseAddress, chunk.count)
                if count < 0, errno == EINTR { continue }
                guard count > 0 else { return count == 0 }
                taken += count
                pipe.take(ByteBuffer(bytes: UnsafeRawBufferPointer(rebasing: chunk[..<count])))
            }
            return false
        }
    }
}
