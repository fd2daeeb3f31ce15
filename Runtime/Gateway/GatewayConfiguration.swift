/// Where the gateway listens and what it allows its clients.
///
/// Each limit guards memory or time that a client would otherwise decide about.
package struct GatewayConfiguration: Sendable, Hashable {
    /// A name or an IP address. Default: loopback only.
    package var host = "127.0.0.1"
    /// Default: 8080. With 0 the system picks a free one; `HTTPGateway.boundAddress` tells which.
    package var port = 8080
    /// Descriptors of sockets that listen already; with any, `host` and `port` are not used. Default: none.
    package var inherited: [CInt] = []

    /// Connections of all lanes together; one more is answered 503 and closed. Default: 10,000.
    package var connections = 10_000
    /// Bytes of the request target; a longer one is answered 414. Default: 8 KiB.
    package var requestLine = 8 << 10
    /// Bytes of all header names and values of a request; more are answered 431. Default: 32 KiB.
    package var headerBytes = 32 << 10
    /// Header fields of a request, trailers among them; more are answered 431. Default: 100.
    package var headerFields = 100
    /// Bodies whose `Content-Length` is at most this are collected before the function is called, so that a slow
    /// upload holds no worker and a conflict can re-run it; larger ones, and chunked ones, are streamed.
    /// Default: 1 MiB.
    package var collectedBody = 1 << 20
    /// Bodies of requests with an idempotency key, and of those that are queued, are held whole up to this, however they
    /// come, and up to the function's own limit; more are answered 413. Default: 16 MiB.
    package var heldBody: Int64 = 16 << 20
    /// Bytes of a refused or unread body that are read to save a connection; with more it is closed.
    /// Default: 64 KiB.
    package var discardedBody = 64 << 10
    /// Requests that may wait on a connection behind the one that runs (pipelining). Reading stops when there is one, so
    /// that more than one read's worth comes only from a client that has sent a flood and closed; past this they are
    /// dropped and the connection is closed after the last answer. Default: 4,096.
    package var pipelined = 4096

    /// From accept, or from a request's first byte, to the end of its head; then 408. Default: 10 s.
    package var headerTime: Duration = .seconds(10)
    /// Between a response and the next request; then the connection is closed. Default: 60 s.
    package var idleTime: Duration = .seconds(60)
    /// Without a byte of a body that is being read; then 408. Default: 30 s.
    package var bodyTime: Duration = .seconds(30)
    /// Bytes a second that a collected body must bring on average, `bodyTime` apart; then 408. Without it, a byte now
    /// and then would hold a connection for ever. Default: 240.
    package var bodyRate = 240
    /// Without a byte taken by a client that has a response to read; then the connection is reset. Default: 30 s.
    package var writeTime: Duration = .seconds(30)
    /// For the client to close after the gateway has closed its side, so that the last response is not lost to a
    /// reset (RFC 9112 §9.6). Default: 5 s.
    package var lingerTime: Duration = .seconds(5)
    /// After shutdown began, a connection is closed once it has been idle for so long: the next request of a client that
    /// has just had an answer, or has just connected, may be on its way. Default: 1 s.
    package var farewellTime: Duration = .seconds(1)
    /// For running requests to end after shutdown began; then they are cancelled. Default: 30 s.
    package var drainTime: Duration = .seconds(30)

    package init() {}

    /// How often connections are looked at: a quarter of the shortest time, between 10 ms and 1 s.
    var sweepTime: Duration {
        let shortest = min(headerTime, idleTime, bodyTime, writeTime, lingerTime)
        return min(max(shortest / 4, .milliseconds(10)), .seconds(1))
    }

    var drainingSweepTime: Duration { min(sweepTime, max(farewellTime / 4, .milliseconds(10))) }
}

/// What a configuration says of bodies: in a few words, since each request asks for it.
package struct BodyLimits: Sendable {
    let collected: Int
    let held: Int64
    let discarded: Int

    package init(_ configuration: GatewayConfiguration) {
        collected = configuration.collectedBody
        held = configuration.heldBody
        discarded = configuration.discardedBody
    }
}
