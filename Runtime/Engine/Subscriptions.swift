package import Manifests
import Synchronization

/// Who gets what is sent to a name: the function that is called so, and every function with a trigger for that topic.
package final class Subscriptions: Sendable {
    package struct Receiver: Sendable, Hashable {
        package var function: String
        /// Such as `mailer/topic/0`, or `mailer/send` for what is sent to the function by its name.
        package var trigger: String
    }

    private let receivers = Mutex<[String: [Receiver]]>([:])

    package init() {}

    /// Messages that are sent from now on go to these functions.
    package func replace(_ manifests: [Manifest]) {
        var receivers: [String: [Receiver]] = [:]
        for manifest in manifests.sorted(by: { $0.name < $1.name }) {
            for (index, trigger) in manifest.triggers.enumerated() {
                guard case .topic(let topic) = trigger else { continue }
                receivers[topic, default: []].append(
                    Receiver(function: manifest.name, trigger: "\(manifest.name)/topic/\(index)"))
            }
            receivers[manifest.name, default: []].append(
                Receiver(function: manifest.name, trigger: "\(manifest.name)/send"))
        }
        // A function gets a message once, however many of its triggers are for it.
        let once = receivers.mapValues { all in
            var functions: Set<String> = []
            return all.filter { functions.insert($0.function).inserted }
        }
        self.receivers.withLock { $0 = once }
    }

    /// Each function once; empty for a name that nobody listens to.
    package func receivers(of target: String) -> [Receiver] { receivers.withLock { $0[target] ?? [] } }
}
