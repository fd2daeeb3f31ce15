import Events
import Storage

/// The keys that one unit of effects has to do with, in the order in which it came to them.
///
/// Most touch a few: to look at each costs less than to hash one and to keep a table. Where there are many, an index leads
/// to them.
struct TouchedKeys: Sendable {
    struct Touched: Sendable {
        let key: StateKey
        /// What the store held when the key was looked up; outer `nil`: nobody has looked.
        var found: VersionedValue??
        /// The version is checked at the commit. For an increment alone it is not, which adds to what is there then.
        var isRead = false
        /// The place of its write among all.
        var write: Int?
    }

    private static let few = 8

    private var all: [Touched] = []
    /// Of all, once there are more than a few.
    private var index: [StateKey: Int] = [:]

    subscript(key: StateKey) -> Touched? { place(of: key).map { all[$0] } }

    /// Changes what is known of `key`, which may be nothing yet.
    mutating func change(_ key: StateKey, _ change: (inout Touched) -> Void) { change(&all[add(key)]) }

    /// Forgets writes, and keys that were only written.
    mutating func forgetWrites() {
        let found = all.filter { $0.found != nil }
        self = TouchedKeys()
        for touched in found {
            change(touched.key) { ($0.found, $0.isRead) = (touched.found, touched.isRead) }
        }
    }

    private func place(of key: StateKey) -> Int? {
        index.isEmpty ? all.firstIndex { $0.key == key } : index[key]
    }

    private mutating func add(_ key: StateKey) -> Int {
        if let place = place(of: key) { return place }
        all.append(Touched(key: key))
        if !index.isEmpty {
            index[key] = all.count - 1
        } else if all.count > Self.few {
            for (place, touched) in all.enumerated() { index[touched.key] = place }
        }
        return all.count - 1
    }
}
