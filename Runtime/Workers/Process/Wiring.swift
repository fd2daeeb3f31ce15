import CProcess
import Glibc
import NIOCore

/// The descriptors between the host and one worker. Each has one owner at a time, who closes it.
struct Wiring {
    /// Write end of the worker's standard input; -1 when all of it is there already.
    private(set) var input: Int32 = -1
    /// Bytes of the input that are there already.
    private(set) var written = 0
    /// Read ends of its standard output and error.
    private(set) var output: Int32 = -1
    private(set) var error: Int32 = -1
    /// The host's end of the socket pair whose other end is the worker's descriptor 3.
    private(set) var socket: Int32 = -1
    /// What become the worker's descriptors 0 to 3.
    private(set) var worker: (Int32, Int32, Int32, Int32) = (-1, -1, -1, -1)

    /// Standard input is empty; frames go over descriptor 3.
    static func frames() throws(CallFailure) -> Wiring {
        var wiring = Wiring()
        do throws(CallFailure) {
            wiring.worker.0 = open("/dev/null", O_RDONLY | O_CLOEXEC)
            try wiring.openOutputs()
            (wiring.socket, wiring.worker.3) = try pair("socketpair", apus_socketpair)
        } catch {
            wiring.closeAll()
            throw error
        }
        return wiring
    }

    /// Standard input is empty; the worker is reached by other ways.
    static func outputs() throws(CallFailure) -> Wiring {
        var wiring = Wiring()
        do throws(CallFailure) {
            wiring.worker.0 = open("/dev/null", O_RDONLY | O_CLOEXEC)
            try wiring.openOutputs()
        } catch {
            wiring.closeAll()
            throw error
        }
        return wiring
    }

    /// Standard input, output and error are pipes.
    static func pipes() throws(CallFailure) -> Wiring {
        try withOutputs { wiring throws(CallFailure) in
            (wiring.worker.0, wiring.input) = try pair("pipe2", apus_pipe)
        }
    }

    /// Standard input, output and error are pipes, the first with as much of `bytes`, which are all, as it takes.
    static func pipes(with bytes: ByteBuffer) throws(CallFailure) -> Wiring {
        var wiring = try pipes()
        // The pipe is the host's alone still: neither can this wait, nor meet its closed end.
        _ = fcntl(wiring.input, F_SETFL, O_NONBLOCK)
        let written = bytes.withUnsafeReadableBytes { $0.isEmpty ? 0 : write(wiring.input, $0.baseAddress, $0.count) }
        wiring.written = max(0, written)
        if wiring.written == bytes.readableBytes {
            close(wiring.input)
            wiring.input = -1
        }
        return wiring
    }

    /// Standard input is the file `descriptor`, which stays its owner's; output and error are pipes.
    static func file(_ descriptor: Int32) throws(CallFailure) -> Wiring {
        try withOutputs { wiring throws(CallFailure) in
            wiring.worker.0 = fcntl(descriptor, F_DUPFD_CLOEXEC, 3)
            guard wiring.worker.0 >= 0 else {
                throw CallFailure(.startFailed, "cannot start a worker: fcntl: \(describe(errno))")
            }
        }
    }

    private static func withOutputs(_ openInput: (inout Wiring) throws(CallFailure) -> Void) throws(CallFailure)
        -> Wiring
    {
        var wiring = Wiring()
        do throws(CallFailure) {
            try openInput(&wiring)
            try wiring.openOutputs()
        } catch {
            wiring.closeAll()
            throw error
        }
        return wiring
    }

    /// After the start: the worker has its own copies.
    mutating func closeWorkerEnds() {
        for descriptor in [worker.0, worker.1, worker.2, worker.3] where descriptor >= 0 { close(descriptor) }
        worker = (-1, -1, -1, -1)
    }

    mutating func closeAll() {
        closeWorkerEnds()
        for descriptor in [input, output, error, socket] where descriptor >= 0 { close(descriptor) }
        (input, output, error, socket) = (-1, -1, -1, -1)
    }

    private mutating func openOutputs() throws(CallFailure) {
        (output, worker.1) = try Self.pair("pipe2", apus_pipe)
        (error, worker.2) = try Self.pair("pipe2", apus_pipe)
    }

    private static func pair(
        _ step: String, _ make: (UnsafeMutablePointer<Int32>?) -> Int32
    ) throws(CallFailure) -> (Int32, Int32) {
        var ends: (Int32, Int32) = (-1, -1)
        let outcome = withUnsafeMutableBytes(of: &ends) { make($0.bindMemory(to: Int32.self).baseAddress) }
        guard outcome == 0 else {
            throw CallFailure(.startFailed, "cannot start a worker: \(step): \(describe(-outcome))")
        }
        return ends
    }
}
