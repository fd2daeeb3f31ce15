/// What a handler asks of its state, and sends, in any contract.
package enum StateOperation: Sendable, Hashable {
    case get(key: String)
    case set(key: String, value: [UInt8])
    case delete(key: String)
    case increment(key: String, by: Int64)
    /// Keys that begin with `prefix`, greater than `after` where it is given, in byte order, at most `limit`.
    case list(prefix: String, after: String?, limit: Int)
    /// Joins what the scope commits.
    case send(OutgoingMessage)
    /// Forgets what the scope has written; in scopes other than the invocation's own, also what it has read.
    case abandon
    /// The handler has looked this up itself, in memory that the host fills. `isRead`: what it does depends on it; else it is the
    /// number to which an increment adds.
    case found(key: String, value: [UInt8], version: Int64, isRead: Bool)
}

/// A unit of effects within one invocation: `0` is the invocation itself, every other number one block of
/// `state.immediately { … }`, which commits on the spot.
package typealias StateScope = UInt32

package enum StateResult: Sendable, Hashable {
    case value([UInt8]?)
    /// The value after an `increment`.
    case number(Int64)
    /// `more`: cut before the limit, because the answer grew too long; ask again after the last key.
    case entries([StateEntry], more: Bool)
    case done
    /// Only for `commit`: others changed what the scope had read; nothing of it was applied.
    case conflict
}

package struct StateEntry: Sendable, Hashable {
    package var key: String
    package var value: [UInt8]

    package init(key: String, value: [UInt8]) {
        self.key = key
        self.value = value
    }
}

/// Why a state operation was refused; the handler sees `message`.
package struct StateError: Error, Sendable, Hashable, CustomStringConvertible {
    package enum Code: String, Sendable {
        /// A key, a value or a message past its limits, or with attributes that cannot be.
        case invalid
        /// `increment` on a value that is not a number, or past its range.
        case notANumber
        /// Nobody gets what is sent to that name.
        case unknownTarget
        /// Messages led to messages too often.
        case chainTooLong
        /// A receiver's queue has no room now.
        case queueFull
        /// The store cannot be read or written now.
        case unavailable
    }

    package var code: Code
    package var message: String

    package init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    package var description: String { message }
}
