import Foundation
import Support
import Synchronization

/// Clients that ask without pause until they are told to stop, and take nothing but 200 for an answer.
final class Load: Sendable {
    struct Counts: Sendable {
        var answers = 0
        var connections = 0
        /// What went wrong, the first twenty.
        var failures: [String] = []
        var failed = 0
        /// Kept connections that the host closed after they had been idle for longer than a moment: a client that is so
        /// slow must expect it.
        var closedIdle = 0
        /// Each body that came, with how often.
        var bodies: [String: Int] = [:]
    }

    private static let moment = Duration.milliseconds(500)

    private let counts = Mutex(Counts())
    private let isOver = Atomic(false)
    private let port: Int
    private let path: String

    init(port: Int, path: String) {
        self.port = port
        self.path = path
    }

    var answers: Int { counts.withLock { $0.answers } }

    /// Runs `body` while `keeping` clients keep their connections until they are told to close them, and `connecting`
    /// ones make one for each request.
    func run(keeping: Int, connecting: Int, _ body: () async throws -> Void) async throws -> Counts {
        async let clients: [Void] = onThreads(keeping + connecting) { index in
            while !self.isOver.load(ordering: .acquiring) { self.connect(keeps: index < keeping) }
        }
        do {
            try await body()
        } catch {
            isOver.store(true, ordering: .releasing)
            _ = try await clients
            throw error
        }
        isOver.store(true, ordering: .releasing)
        _ = try await clients
        return counts.withLock { $0 }
    }

    private func connect(keeps: Bool) {
        var answered: ContinuousClock.Instant?
        var wasIdle = false
        do {
            let connection = try HTTPConnection(port: port)
            counts.withLock { $0.connections += 1 }
            repeat {
                wasIdle = answered.map { .now - $0 > Self.moment } ?? false
                let answer = try connection.request("GET", path, headers: keeps ? [] : [("Connection", "close")])
                answered = .now
                note(answer)
                if answer.headers["connection"] == "close" { return }
            } while keeps && !isOver.load(ordering: .acquiring)
        } catch {
            if wasIdle { counts.withLock { $0.closedIdle += 1 } } else { fail("\(error)") }
        }
    }

    private func note(_ answer: HTTPConnection.Response) {
        if answer.status == 200 {
            counts.withLock { counts in
                counts.answers += 1
                counts.bodies[answer.text, default: 0] += 1
            }
        } else {
            fail("\(answer.status): \(answer.text)")
        }
    }

    private func fail(_ reason: String) {
        counts.withLock { counts in
            counts.failed += 1
            if counts.failures.count < 20 { counts.failures.append(reason) }
        }
    }
}
