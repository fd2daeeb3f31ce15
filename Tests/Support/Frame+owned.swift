package import Wire

extension Frame {
    /// The frame with its body's bytes in place of their range in `input`.
    package func owned(_ input: UnsafeRawBufferPointer) -> Frame {
        func bytes(_ body: WireBody) -> WireBody {
            guard case .range(let range) = body else { return body }
            return .bytes([UInt8](input[range]))
        }
        return switch message {
        case .call(let head, let body, let end): Frame(call: call, .call(head, body: bytes(body), end: end))
        case .body(let body, let end): Frame(call: call, .body(bytes(body), end: end))
        case .response(let status, let headers, let body, let end):
            Frame(call: call, .response(status: status, headers: headers, body: bytes(body), end: end))
        case .hello, .welcome, .goodbye, .fork, .forked, .cancel, .credit, .reset, .acknowledge, .failure, .log, .state,
            .stateReply:
            self
        }
    }

    /// The body of a RESPONSE or BODY that `owned` has made; empty for every other.
    package var bodyBytes: [UInt8] {
        switch message {
        case .body(.bytes(let bytes), _), .response(_, _, .bytes(let bytes), _): bytes
        default: []
        }
    }
}
