import Events
import Manifests
import NIOCore
import Synchronization

/// The template of a pool whose workers are fresh for each call: there is one while there is demand, if the handler can
/// be copied at all.
final class Templates: Sendable {
    /// After so many that ended before they were ready, no more are started.
    private static let mostFailures = 3

    private enum Phase {
        case starting, ready
        /// Takes no more copies, and is not to be counted as one that failed.
        case leaving
    }

    private struct Contents: Sendable {
        var current: Template?
        /// Of the current one.
        var phase = Phase.starting
        var failures = 0
        var isOver = false
        /// Who waits for its end.
        var spectators: [CheckedContinuation<Void, Never>] = []
    }

    private let manifest: Manifest
    private let lane: Lane
    private let output: WorkerOutput
    private let contents = Mutex(Contents())

    init(_ manifest: Manifest, lane: Lane, output: @escaping WorkerOutput) {
        self.manifest = manifest
        self.lane = lane
        self.output = output
    }

    /// The one that can be copied.
    var ready: Template? { contents.withLock { $0.phase == .ready ? $0.current : nil } }

    var isEmpty: Bool { contents.withLock { $0.current == nil } }

    /// A worker has started that could have been a copy.
    func areWanted() {
        let template = contents.withLock { contents -> Template? in
            guard contents.current == nil, !contents.isOver, contents.failures < Self.mostFailures else { return nil }
            let template = Template(manifest, lane: lane, output: output) { [weak self] in
                self?.contents.withLock { if $0.phase == .starting { $0.phase = .ready } }
            } onEnd: { [weak self] in
                self?.hasEnded()
            }
            contents.current = template
            contents.phase = .starting
            return template
        }
        if let template { lane.run { template.start() } }
    }

    /// Ends the template; another may come with demand.
    func stop() {
        let template = contents.withLock { contents in
            contents.phase = .leaving
            return contents.current
        }
        template?.stop()
    }

    /// Ends the template, and waits for its end; there will be no other.
    func end() async {
        await withCheckedContinuation { spectator in
            let template = contents.withLock { contents in
                contents.isOver = true
                if contents.current != nil { contents.spectators.append(spectator) }
                return contents.current
            }
            if let template { template.stop() } else { spectator.resume() }
        }
    }

    private func hasEnded() {
        let spectators = contents.withLock { contents in
            switch contents.phase {
            case .starting: contents.failures += 1
            case .ready: contents.failures = 0
            case .leaving: break
            }
            contents.current = nil
            defer { contents.spectators = [] }
            return contents.spectators
        }
        for spectator in spectators { spectator.resume() }
    }
}
