/// Whether the store takes changes.
package enum StoreHealth: Sendable {
    case well
    /// Changes are refused with the error. Reads go on as far as they can. The store tries by itself whether it can write
    /// again, except where it is damaged.
    case failing(StorageError)

    package var error: StorageError? {
        switch self {
        case .well: nil
        case .failing(let error): error
        }
    }
}

/// When a store that fails tries to write again.
package struct ProbeSchedule {
    private static let first = Duration.milliseconds(100)
    private static let longest = Duration.seconds(2)

    /// How long to wait before the next try; `nil`: none will help.
    package private(set) var wait: Duration?

    package init(after error: StorageError) { wait = Self.isHopeless(error) ? nil : Self.first }

    package mutating func failed(with error: StorageError) {
        wait = Self.isHopeless(error) ? nil : wait.map { min($0 * 2, Self.longest) }
    }

    /// Writing to a damaged file may damage more of it.
    private static func isHopeless(_ error: StorageError) -> Bool { error.code == .damaged }
}
