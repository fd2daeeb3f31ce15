import NIOCore
import Wire

/// Bodies of requests on their way to the worker.
extension ApusConnection {
    func grantUpload(_ id: UInt32, _ bytes: Int) {
        // A grant may cross the end of its call, or of its body.
        guard let call = calls[id], !call.upload.isOver else { return }
        guard call.upload.credit + bytes <= Self.window else {
            return breakContract("a CREDIT of more than it was sent")
        }
        call.upload.credit += bytes
        sendUpload(of: call)
    }

    func sendUpload(of call: ApusCall) {
        while let (chunk, end) = call.upload.next() {
            send(Frame(call: call.id, .body(.bytes([]), end: end)), body: chunk)
        }
        if call.upload.rest.readableBytes == 0 { resumePump(of: call) }
    }

    func pump(_ call: ApusCall) {
        guard let stream = call.upload.stream else { return }
        // Unstructured: the chunks come while other calls go on; `stopUpload` ends it with its call.
        call.upload.pump = Task(executorPreference: process.lane) { [self] in
            do {
                while let chunk = try await stream.next() { await upload(chunk, of: call) }
                call.upload.isComplete = true
                sendUpload(of: call)
            } catch {
                abortUpload(of: call, error)
            }
        }
    }

    func stopUpload(of call: ApusCall) {
        call.upload.isOver = true
        call.upload.pump?.cancel()
        call.upload.stream?.cancel()
        resumePump(of: call)
    }

    /// Sends a chunk and waits until the worker has taken all of it.
    private func upload(_ chunk: ByteBuffer, of call: ApusCall) async {
        guard !call.upload.isOver else { return }
        call.upload.rest = chunk
        sendUpload(of: call)
        guard call.upload.rest.readableBytes > 0 else { return }
        await withCheckedContinuation { call.upload.pumpWaits = $0 }
    }

    private func abortUpload(of call: ApusCall, _ error: any Error) {
        guard !call.upload.isOver else { return }
        call.upload.isOver = true
        send(Frame(call: call.id, .reset(reason: "\(error)")))
    }

    private func resumePump(of call: ApusCall) {
        call.upload.pumpWaits?.resume()
        call.upload.pumpWaits = nil
    }
}
