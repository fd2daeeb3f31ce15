package import FaultChecking
import Foundation
package import Support

/// What came of one request.
package enum Answer: Sendable {
    case response(HTTPConnection.Response)
    /// No connection: the host has seen nothing of the request.
    case unreachable
    /// The connection ended without an answer.
    case silent

    /// What the host promises by it: a success is on disk, a problem has applied nothing.
    package var fate: Fate {
        switch self {
        case .response(let response): (200..<300).contains(response.status) ? .acknowledged : .refused
        case .unreachable: .refused
        case .silent: .unknown
        }
    }

    package var text: String? {
        if case .response(let response) = self, fate == .acknowledged { response.text } else { nil }
    }
}

/// One client, on a thread of its own: it keeps its connection, and goes to the next host when one dies.
package final class Client {
    private let board: HostBoard
    private var host: HostBoard.Host?
    private var connection: HTTPConnection?

    package init(board: HostBoard) { self.board = board }

    package func request(
        _ method: String, _ path: String, headers: [(String, String)] = [], body: String = ""
    ) -> Answer {
        follow()
        guard let host else { return .unreachable }
        return ask(&connection, host.port) { try $0.request(method, path, headers: headers, body: Array(body.utf8)) }
    }

    /// Asks again as long as there is no answer, which is right for requests with a key: a repeat runs nothing twice.
    func insist(_ ask: () -> Fate) -> Fate {
        var fate = ask()
        // What is refused after an unknown outcome says nothing of the first one.
        while fate == .unknown, !board.isStopped { if ask() == .acknowledged { fate = .acknowledged } }
        return fate
    }

    /// A request to the admin API, on a connection of its own.
    package func admin(_ method: String, _ path: String, body: String = "") -> Answer {
        follow()
        guard let host else { return .unreachable }
        var connection: HTTPConnection?
        return ask(&connection, host.adminPort) {
            let headers = [("Connection", "close"), ("Content-Type", "application/json")]
            return try $0.request(method, path, headers: headers, body: Array(body.utf8))
        }
    }

    /// Nanoseconds of the steady clock.
    package static var now: Int {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return time.tv_sec * 1_000_000_000 + time.tv_nsec
    }

    private func follow() {
        let now = board.waitForHost()
        guard now != host else { return }
        (host, connection) = (now, nil)
    }

    private func ask(
        _ kept: inout HTTPConnection?, _ port: Int, _ body: (HTTPConnection) throws -> HTTPConnection.Response
    ) -> Answer {
        guard let connection = kept ?? (try? HTTPConnection(port: port)) else {
            // It is dead, and the board does not know yet.
            usleep(2000)
            return .unreachable
        }
        do {
            let response = try body(connection)
            kept = response.headers["connection"] == "close" ? nil : connection
            return .response(response)
        } catch {
            kept = nil
            return .silent
        }
    }
}
