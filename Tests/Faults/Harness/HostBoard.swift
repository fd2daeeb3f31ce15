import Foundation
import Synchronization

/// Where the host is now, for all that talk to it or kill its workers; and whether the round goes on.
package final class HostBoard: Sendable {
    package struct Host: Sendable, Hashable {
        package var pid: Int32
        package var port: Int
        package var adminPort: Int
    }

    private struct State {
        var host: Host?
        var isStopped = false
    }

    // NSCondition is a lock of its own; the mutex keeps the compiler's proof.
    private let changed = NSCondition()
    private let state = Mutex(State())

    package init() {}

    package var host: Host? { state.withLock { $0.host } }

    /// Clients make no further step.
    package var isStopped: Bool { state.withLock { $0.isStopped } }

    func set(_ host: Host?) { change { $0.host = host } }

    func stop() { change { $0.isStopped = true } }

    /// The host that is up, or the next one; blocks. `nil` when none comes any more.
    func waitForHost() -> Host? {
        changed.lock()
        defer { changed.unlock() }
        while true {
            let (host, isStopped) = state.withLock { ($0.host, $0.isStopped) }
            if host != nil || isStopped { return host }
            changed.wait()
        }
    }

    private func change(_ body: (inout State) -> Void) {
        changed.lock()
        state.withLock { body(&$0) }
        changed.broadcast()
        changed.unlock()
    }
}
