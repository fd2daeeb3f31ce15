import Events
import NIOCore

/// What a program finds on its standard input.
enum ProgramInput {
    case bytes(ByteBuffer)
    /// `length` in bytes, where the client has said it.
    case stream(BodyStream, length: Int?)
    case file(SpooledBody)

    init(_ call: Call) {
        switch (call.invocation.cause, call.body) {
        case (.event(_, let event), _): self = .bytes(ByteBuffer(bytes: CloudEventJSON.line(event)))
        case (.request, .bytes(let bytes)): self = .bytes(bytes)
        case (.request(let head), .stream(let body)):
            self = .stream(body, length: head.headers.first("content-length").flatMap { Int($0) })
        }
    }

    /// `nil` when there is none, or when it is not known.
    var length: Int? {
        switch self {
        case .bytes(let bytes): bytes.readableBytes > 0 ? bytes.readableBytes : nil
        case .stream(_, let length): length
        case .file(let body): body.length
        }
    }

    /// Makes the descriptors of a process that reads it.
    @Sendable func wire() throws(CallFailure) -> Wiring {
        switch self {
        case .file(let body): try .file(body.descriptor)
        case .bytes(let bytes): try .pipes(with: bytes)
        case .stream: try .pipes()
        }
    }
}
