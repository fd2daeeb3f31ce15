package import Events
import Synchronization

/// Which functions want to hear of changes to which keys. Pure.
///
/// A lookup is a binary search among the prefixes of a namespace, however many there are, and then goes from a prefix to
/// the next shorter one that begins it.
package struct StateFollowers: Sendable, Hashable {
    package struct Follower: Sendable, Hashable {
        package var function: String
        /// Such as `tags/state/0`.
        package var trigger: String

        package init(function: String, trigger: String) {
            self.function = function
            self.trigger = trigger
        }
    }

    /// What follows the keys of one namespace.
    package struct Namespace: Sendable, Hashable {
        private struct Entry: Hashable {
            var prefix: StateKey
            var followers: [Follower]
            /// The longest other prefix that begins this one.
            var wider: Int?
        }

        /// In the order of their bytes.
        private var entries: [Entry] = []

        fileprivate init(_ prefixes: [StateKey: [Follower]]) {
            for (prefix, followers) in prefixes.sorted(by: { $0.key < $1.key }) {
                var wider = entries.indices.last
                while let index = wider, !prefix.hasPrefix(entries[index].prefix) { wider = entries[index].wider }
                entries.append(Entry(prefix: prefix, followers: followers, wider: wider))
            }
        }

        /// Each function once.
        package func followers(of key: StateKey) -> [Follower] {
            var found: [Follower] = []
            // What begins the key is the last prefix that is not after it, or begins that one.
            var index = entries.lastIndex(notAfter: key) { $0.prefix }
            while let current = index {
                let entry = entries[current]
                if key.hasPrefix(entry.prefix) {
                    found += entry.followers.filter { new in !found.contains { $0.function == new.function } }
                }
                index = entry.wider
            }
            return found
        }
    }

    private let namespaces: [String: Namespace]

    package init() { namespaces = [:] }

    /// - Parameter followers: each with the namespace and the prefix that it follows; of one function's equal ones, the
    ///   first counts.
    package init(_ followers: [(namespace: String, prefix: StateKey, follower: Follower)]) {
        var prefixes: [String: [StateKey: [Follower]]] = [:]
        for (namespace, prefix, follower) in followers {
            let known = prefixes[namespace]?[prefix] ?? []
            if known.contains(where: { $0.function == follower.function }) { continue }
            prefixes[namespace, default: [:]][prefix, default: []].append(follower)
        }
        namespaces = prefixes.mapValues { Namespace($0) }
    }

    /// `nil` for one that nobody follows.
    package subscript(namespace: String) -> Namespace? { namespaces[namespace] }
}

extension Array {
    /// The last element that is not after `key`; the elements are in order.
    fileprivate func lastIndex(notAfter key: StateKey, by value: (Element) -> StateKey) -> Int? {
        var (low, high) = (0, count)
        while low < high {
            let middle = (low + high) / 2
            if key < value(self[middle]) { high = middle } else { low = middle + 1 }
        }
        return low > 0 ? low - 1 : nil
    }
}

/// Who follows which keys now, for the writer and those who ask before they write.
final class FollowedKeys: Sendable {
    private let followers = Mutex(StateFollowers())

    func replace(with new: StateFollowers) { followers.withLock { $0 = new } }

    subscript(namespace: String) -> StateFollowers.Namespace? { followers.withLock { $0[namespace] } }
}
