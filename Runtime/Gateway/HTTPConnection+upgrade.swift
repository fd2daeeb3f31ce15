import Events
import NIOCore
import Workers

/// Going on with WebSocket (RFC 9110 §7.8): when the function's server answers 101, bytes go both ways as they are. What
/// the client sends is the call's request body, what the server sends is its response body.
extension HTTPConnection {
    /// Calls a function that may agree to another protocol.
    func callForUpgrade(_ request: AdmittedRequest) {
        exchange.response.mayUpgrade = true
        let stream = makeStream()
        exchange.stream = stream
        call(request, body: .stream(stream))
    }

    /// Hands on what has come from the client. Until the function has agreed it is held back, and nothing more is read.
    func receiveUpgraded() {
        guard input.readableBytes > 0 else { return }
        guard state.isSending, let stream = exchange.stream else { return state.pauseBody() }
        let bytes = input
        input = lane.nothing
        if stream.write(bytes) { resumeReading() } else { state.pauseBody() }
    }

    private func resumeReading() {
        state.resumeBody(now: .now())
        read()
    }
}
