import Glibc
import NIOCore
import NIOPosix

/// A body whose length was not known, in a file that has no name any more and goes with its last descriptor.
final class SpooledBody: @unchecked Sendable {
    // `@unchecked`: `length` changes only in `collect`, one append after the other, before anybody else has it.

    let descriptor: Int32
    private(set) var length = 0

    /// Reads all of `body`. Cancelling the task ends that.
    static func collect(_ body: BodyStream) async throws(CallFailure) -> SpooledBody {
        let thread = NIOThreadPool.singleton
        do {
            let spooled = try await thread.runIfActive { try SpooledBody() }
            while let chunk = try await body.next() { try await thread.runIfActive { try spooled.append(chunk) } }
            return spooled
        } catch let failure as CallFailure {
            throw failure
        } catch {
            throw body.cancellation(after: error)
        }
    }

    deinit { close(descriptor) }

    private init() throws(CallFailure) {
        let path = "\(TemporaryFolders.parent)/apus-body-\(getpid())-\(UInt64.random(in: 0 ... .max))"
        descriptor = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw Self.failure("open") }
        unlink(path)
    }

    /// Writes at the offset, so that the program finds the file's own offset at the beginning.
    private func append(_ chunk: ByteBuffer) throws(CallFailure) {
        var written = 0
        while written < chunk.readableBytes {
            let count = chunk.withUnsafeReadableBytes { bytes in
                pwrite(descriptor, bytes.baseAddress?.advanced(by: written), bytes.count - written, off_t(length))
            }
            guard count >= 0 || errno == EINTR else { throw Self.failure("pwrite") }
            written += max(0, count)
            length += max(0, count)
        }
    }

    private static func failure(_ step: String) -> CallFailure {
        CallFailure(
            .startFailed,
            "cannot keep a request's body in \(TemporaryFolders.parent): \(step): \(describe(errno))")
    }
}
