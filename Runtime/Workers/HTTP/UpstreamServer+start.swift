import Events
import Manifests
import NIOCore

/// When to look whether a server is ready. Time comes in.
enum ReadinessSchedule {
    /// What a server gets from its start until it is ready.
    static let limit = Duration.seconds(60)
    /// What it gets to answer when it is asked for its health.
    static let healthLimit = Duration.seconds(5)

    /// When to look again: late by a twentieth at most, without looking all the time.
    static func pause(after elapsed: Duration) -> Duration {
        min(max(elapsed / 20, .milliseconds(1)), .milliseconds(50))
    }
}

/// Waiting until a server can take calls.
extension UpstreamServer {
    /// Looks at each address whether somebody accepts.
    func probe() {
        guard phase == .starting else { return }
        guard .now - started < ReadinessSchedule.limit else { return refuse() }
        probe(addresses[...])
    }

    private func probe(_ rest: ArraySlice<SocketAddress>) {
        guard let address = rest.first else { return probeLater() }
        open(address) { [self] connection in
            guard let connection else { return probe(rest.dropFirst()) }
            guard phase == .starting else { return connection.close() }
            addresses = [address]
            if let path = process.manifest.handler.health {
                askHealth(path, on: connection)
            } else {
                becomeReady(connection, timeout: nil)
            }
        }
    }

    private func probeLater() {
        guard phase == .starting else { return }
        let pause = ReadinessSchedule.pause(after: .now - started)
        loop.assumeIsolated().scheduleTask(in: .nanoseconds(pause.nanoseconds)) { [self] in probe() }
    }

    private func askHealth(_ path: String, on connection: UpstreamConnection) {
        let exchange = HTTPExchange(UpstreamRequest(health: path), on: process.lane)
        exchange.deadline = loop.assumeIsolated().scheduleTask(
            in: .nanoseconds(ReadinessSchedule.healthLimit.nanoseconds)
        ) { connection.close() }
        exchange.tell = { [self, unowned exchange] answer in
            exchange.stop()
            switch answer {
            case .success(.response(let head, let body)):
                if case .stream(let stream) = body { stream.cancel() }
                lastHealth = "status \(head.status)"
                if (200...299).contains(head.status) {
                    let isFree = exchange.state.leavesConnection
                    if !isFree { connection.close() }
                    return becomeReady(isFree ? connection : nil, timeout: exchange.state.keepAliveTimeout)
                }
            case .success(.acknowledged), .success(.redirect), .success(.result): break
            case .failure(let failure): lastHealth = failure.message
            }
            connection.close()
            probeLater()
        }
        connection.start(exchange)
    }

    /// The connection on which it was found ready carries the first call.
    private func becomeReady(_ connection: UpstreamConnection?, timeout: Duration?) {
        guard phase == .starting else { return }
        phase = .ready
        if let connection { keep(connection, timeout: timeout) }
        reports.ready(0)
    }

    private func refuse() {
        let limit = "within \(ReadinessSchedule.limit.components.seconds) s of its start"
        let what =
            process.manifest.handler.health.map {
                "GET \($0) (handler.health) on its PORT gave no 2xx \(limit)"
                    + (lastHealth.isEmpty ? "" : "; the last gave: \(lastHealth)")
            } ?? "nothing accepts on its PORT, \(port), \(limit)"
        phase = .closing
        startFailure = "the worker cannot start: \(what)"
        process.say("error", "the worker cannot start: \(what)")
        process.terminate(because: what)
    }
}
