import Events
import Glibc
import NIOCore

/// The calls of a server, from their begin to their end.
extension UpstreamServer {
    /// What a server that runs one call gets to answer one that its caller has left.
    private static let cancellationLimit = TimeAmount.seconds(2)
    /// How long the exit of a process that is ending is waited for.
    private static let exitLimit = TimeAmount.seconds(5)

    // MARK: Begin

    /// `false` when it takes no more calls.
    func begin(_ exchange: HTTPExchange, until deadline: NIODeadline) -> Bool {
        guard phase == .ready else {
            reports.released()
            return false
        }
        guard !exchange.isCancelled else {
            reports.released()
            exchange.fail(exchange.request.body.cancellation)
            return true
        }
        calls[ObjectIdentifier(exchange)] = exchange
        exchange.deadline = loop.assumeIsolated().scheduleTask(deadline: deadline) { [self] in expire(exchange) }
        exchange.onAbandoned = { [self, unowned exchange] in cancel(exchange) }
        let (connection, stale) = idle.take(replayable: exchange.request.isReplayable, now: .now)
        for connection in stale { connection.close() }
        if let connection { connection.start(exchange) } else { startOnNew(exchange) }
        return true
    }

    private func startOnNew(_ exchange: HTTPExchange) {
        open(addresses[0]) { [self] connection in
            guard runs(exchange) else {
                connection?.close()
                return
            }
            if let connection { return connection.start(exchange) }
            lose(exchange, "it accepts no connections any more")
        }
    }

    // MARK: End

    func ended(_ exchange: HTTPExchange, on connection: UpstreamConnection) {
        if exchange.state.leavesConnection, runs(exchange) {
            keep(connection, timeout: exchange.state.keepAliveTimeout)
        }
        complete(exchange)
    }

    func failed(_ exchange: HTTPExchange, on connection: UpstreamConnection, why: String) {
        guard runs(exchange) else { return exchange.fail(Self.broken(why)) }
        // It was closed while the request was on its way: a connection that had done its work before. Nothing tells
        // whether the server has seen the request, so that only one that may run twice is sent again.
        if !connection.isNew, exchange.mayStartAgain, phase == .ready {
            exchange.startAgain()
            return startOnNew(exchange)
        }
        lose(exchange, why)
    }

    /// There will be no answer. When the process is ending, its exit tells the reason.
    private func lose(_ exchange: HTTPExchange, _ why: String) {
        guard isProcessEnding else { return end(exchange, Self.broken(why)) }
        loop.assumeIsolated().scheduleTask(in: Self.exitLimit) { [self] in end(exchange, Self.broken(why)) }
    }

    /// Ends a call for its caller, who may be reading the response already.
    func end(_ exchange: HTTPExchange, _ failure: CallFailure) {
        guard runs(exchange) else { return }
        complete(exchange)
        exchange.fail(failure)
    }

    /// Its place is free.
    private func complete(_ exchange: HTTPExchange) {
        guard calls.removeValue(forKey: ObjectIdentifier(exchange)) != nil else { return }
        lastEnded = (exchange.invocation, .now())
        exchange.state.end()
        exchange.stop()
        reports.released()
        endIfIdle()
    }

    private func runs(_ exchange: HTTPExchange) -> Bool { calls[ObjectIdentifier(exchange)] != nil }

    private static func broken(_ why: String) -> CallFailure {
        CallFailure(.contractBroken, "the worker's server did not answer: \(why)")
    }

    /// The kernel frees a process's memory before it closes its sockets: a connection that ends like this says that the
    /// process has gone, and its exit will tell how (proc_pid_statm(5)).
    private var isProcessEnding: Bool {
        guard process.pid > 0, let file = fopen("/proc/\(process.pid)/statm", "re") else { return true }
        defer { fclose(file) }
        return fgetc(file) == Int32(UInt8(ascii: "0"))
    }

    // MARK: Early ends

    private func expire(_ exchange: HTTPExchange) {
        guard runs(exchange) else { return }
        let limit = "ran past its time limit (limits.time)"
        let goesOn = exchange.state.hasBegun && !runsOneCall
        if !goesOn { retire("a call \(limit)") }
        let connection = exchange.connection
        end(exchange, CallFailure(.timedOut, "the handler \(limit)"))
        connection?.close()
    }

    /// The caller has gone.
    func cancel(_ exchange: HTTPExchange) {
        exchange.isCancelled = true
        guard runs(exchange) else { return }
        guard runsOneCall, !exchange.state.hasBegun else {
            let connection = exchange.connection
            end(exchange, exchange.request.body.cancellation)
            connection?.close()
            return
        }
        exchange.fail(exchange.request.body.cancellation)
        exchange.state.abandon()
        exchange.deadline?.cancel()
        exchange.deadline = loop.assumeIsolated().scheduleTask(in: Self.cancellationLimit) { [self] in
            guard runs(exchange) else { return }
            retire("a call that was cancelled did not end within 2 s")
            let connection = exchange.connection
            end(exchange, exchange.request.body.cancellation)
            connection?.close()
        }
    }
}
