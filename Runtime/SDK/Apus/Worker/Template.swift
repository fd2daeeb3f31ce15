import CFork
import Glibc
import Wire

/// A worker that the host keeps as it is after its start, to copy it for each call (`docs/worker-protocol.md`,
/// "Instances"): a copy of a loaded process is ready several times sooner than a new one.
struct Template {
    enum Role {
        /// The host wants an ordinary worker, whose HELLO it has.
        case worker
        /// This is a copy, whose socket has taken the template's place.
        case instance
        /// The host has no more use for the template.
        case done
        case violation(String)
    }

    private let socket: Int32
    private var input: [UInt8] = []
    /// Received and not used yet, in their order: three for each FORK.
    private var descriptors: [Int32] = []

    private init(socket: Int32) { self.socket = socket }

    /// Threads are not copied, and what they held would stay held (fork(2), NOTES): only a process with one can be a
    /// template. A directory has a link for each folder in it, and two more.
    static var isPossible: Bool {
        var status = stat()
        return stat("/proc/self/task", &status) == 0 && status.st_nlink == 3
    }

    /// Says hello, and serves as a template if the host asks for that. Returns what this process is to be; in a copy that
    /// happens once for each.
    static func begin(on socket: Int32, triggers: UInt16) throws -> Role {
        var template = Template(socket: socket)
        let abilities = WorkerLoop.abilities | Hello.canFork
        try template.send(.hello(Hello(triggers: triggers | abilities, sdk: WorkerLoop.sdk)))
        guard try template.isFork() else { return .worker }
        // What `init` has printed must not be printed by each copy.
        fflush(nil)
        do {
            while true {
                guard try template.receive() else { return .done }
                if let role = try template.serve() { return role }
            }
        } catch let error as WireError {
            return .violation(error.description)
        }
    }

    /// Whether the first frame asks for a copy. Leaves it where it is.
    private func isFork() throws -> Bool {
        var header = [UInt8](repeating: 0, count: Frame.headerSize)
        var count: Int
        repeat {
            count = recv(socket, &header, header.count, Int32(MSG_PEEK | MSG_WAITALL))
        } while count < 0 && errno == EINTR
        return count == header.count && Frame.isFork(header: header)
    }

    private mutating func receive() throws -> Bool {
        var chunk = [UInt8](repeating: 0, count: 4096)
        var received = [Int32](repeating: -1, count: 16)
        var count: Int32 = 0
        let size = apus_receive(socket, &chunk, chunk.count, &received, Int32(received.count), &count, 0)
        guard size >= 0 else { throw SystemError("recvmsg", Int32(-size)) }
        input += chunk[..<size]
        descriptors += received[..<Int(count)]
        return size > 0
    }

    /// Serves the frames that are there. Returns what this process is to be, if that is decided.
    private mutating func serve() throws -> Role? {
        var offset = 0
        while let frame = try input.withUnsafeBytes({ try Frame.decode(from: $0, at: &offset) }) {
            switch frame.message {
            case .goodbye: return .done
            case .fork(let number, let environment):
                if try fork(number, environment) { return .instance }
            default: throw WireError("a host does not send this frame to a template: \(frame.message.name)")
            }
        }
        input.removeFirst(offset)
        return nil
    }

    /// Makes a copy. Returns whether this is it.
    private mutating func fork(_ number: UInt32, _ environment: [WireField]) throws -> Bool {
        guard descriptors.count >= 3 else { throw WireError("a FORK without three descriptors") }
        let own = Array(descriptors.prefix(3))
        descriptors.removeFirst(3)
        let copy = apus_fork_sibling(own)
        if copy == 0 {
            for descriptor in descriptors { close(descriptor) }
            for field in environment { setenv(field.name, field.value, 1) }
            return true
        }
        for descriptor in own { close(descriptor) }
        let reason = copy < 0 ? SystemError("clone", -copy).description : ""
        try send(.forked(number: number, process: UInt32(max(0, copy)), reason: reason))
        return false
    }

    private func send(_ message: Message) throws {
        var writer = ByteWriter()
        Frame(call: 0, message).encode(into: &writer)
        var rest = writer.bytes[...]
        while !rest.isEmpty {
            let sent = rest.withUnsafeBytes {
                Glibc.send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            if sent < 0 {
                if errno == EINTR { continue }
                throw SystemError("send", errno)
            }
            rest = rest.dropFirst(sent)
        }
    }
}
