package import Events
package import Manifests
package import Storage
import Synchronization

/// Who gets what is sent to a name: the function that is called so, and every function with a trigger for that topic.
package final class Subscriptions: Sendable {
    package struct Receiver: Sendable, Hashable {
        package var function: String
        /// Such as `mailer/topic/0`, or `mailer/send` for what is sent to the function by its name.
        package var trigger: String

        package init(function: String, trigger: String) {
            self.function = function
            self.trigger = trigger
        }
    }

    /// All who listen to one name; whether they want a message, its attributes say.
    package struct Listeners: Sendable, Hashable {
        package struct Listener: Sendable, Hashable {
            package var receiver: Receiver
            /// `nil` for every message.
            package var filter: EventFilter?

            package init(_ receiver: Receiver, filter: EventFilter? = nil) {
                self.receiver = receiver
                self.filter = filter
            }
        }

        private let all: [Listener]

        package init(_ all: [Listener]) { self.all = all }

        /// Whether the name is nobody's.
        package var isEmpty: Bool { all.isEmpty }

        /// The functions that may get something.
        var functions: Set<String> { Set(all.map(\.receiver.function)) }

        /// A function gets a message once, however many of its triggers are for it.
        package func receivers(of event: Event) -> [Receiver] {
            var functions: Set<String> = []
            return all.filter { listener in
                (listener.filter?.matches(event) ?? true) && functions.insert(listener.receiver.function).inserted
            }.map(\.receiver)
        }
    }

    private let listeners = Mutex<[String: Listeners]>([:])

    package init() {}

    /// Messages that are sent from now on go to these functions.
    package func replace(_ manifests: [Manifest]) {
        var found: [String: [Listeners.Listener]] = [:]
        for manifest in manifests.sorted(by: { $0.name < $1.name }) {
            for (index, trigger) in manifest.triggers.enumerated() {
                guard case .topic(let topic) = trigger else { continue }
                let receiver = Receiver(function: manifest.name, trigger: "\(manifest.name)/topic/\(index)")
                found[topic.name, default: []].append(Listeners.Listener(receiver, filter: topic.filter))
            }
            let receiver = Receiver(function: manifest.name, trigger: "\(manifest.name)/send")
            found[manifest.name, default: []].append(Listeners.Listener(receiver))
        }
        let listeners = found.mapValues { Listeners($0) }
        self.listeners.withLock { $0 = listeners }
    }

    /// Empty for a name that nobody listens to.
    package func listeners(to target: String) -> Listeners { listeners.withLock { $0[target] } ?? Listeners([]) }
}

extension StateFollowers {
    /// The functions with `state` triggers.
    package init(_ manifests: [Manifest]) {
        self.init(
            manifests.flatMap { manifest in
                manifest.triggers.enumerated().compactMap { index, trigger in
                    guard case .state(let state) = trigger else { return nil }
                    let follower = Follower(function: manifest.name, trigger: "\(manifest.name)/state/\(index)")
                    return (namespace: state.namespace, prefix: StateKey(state.prefix), follower: follower)
                }
            })
    }
}
