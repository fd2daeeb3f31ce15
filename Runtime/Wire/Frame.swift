/// One unit of what host and worker tell each other; `docs/worker-protocol.md` describes each byte.
package struct Frame: Sendable, Hashable {
    /// Length, type, flags and call of a frame: 12 bytes.
    package static let headerSize = 12
    /// Longest payload that either side may send.
    package static let maximumPayload = 8 << 20
    package static let protocolVersion: UInt16 = 1

    /// The call that it belongs to; 0 is the connection itself.
    package var call: UInt32
    package var message: Message

    package init(call: UInt32, _ message: Message) {
        self.call = call
        self.message = message
    }
}

package enum Message: Sendable, Hashable {
    // The connection
    case hello(Hello)
    case welcome(Welcome)
    case goodbye
    // A template
    case fork(number: UInt32, environment: [WireField])
    case forked(number: UInt32, process: UInt32, reason: String)
    // A call
    case call(CallHead, body: WireBody, end: Bool)
    case cancel
    // Bodies, both ways
    case body(WireBody, end: Bool)
    case credit(UInt32)
    case reset(reason: String)
    // What the worker makes of the call
    case response(status: UInt16, headers: [WireField], body: WireBody, end: Bool)
    case acknowledge
    case failure(permanent: Bool, message: String)
    case log(level: UInt8, text: String, metadata: [WireField])
    // State
    case state(request: UInt32, scope: UInt32, StateRequest)
    case stateReply(request: UInt32, StateReply)
}

/// The bytes of a body. A decoded frame only says where in the decoder's input they are, so that nobody copies them
/// twice.
package enum WireBody: Sendable, Hashable {
    case bytes([UInt8])
    /// Offsets into the buffer that was decoded.
    case range(Range<Int>)

    package var count: Int {
        switch self {
        case .bytes(let bytes): bytes.count
        case .range(let range): range.count
        }
    }
}

package struct Hello: Sendable, Hashable {
    package var version: UInt16
    /// In `triggers`: the worker can be a template.
    package static let canFork: UInt16 = 1 << 15
    /// In `triggers`: the worker can share memory with the host.
    package static let canShare: UInt16 = 1 << 14
    /// In `triggers`, beside `canShare`: the worker can look up values in memory.
    package static let canLookUp: UInt16 = 1 << 13
    /// In `triggers`, beside `canShare`: the worker takes calls ahead of their turn.
    package static let canTakeAhead: UInt16 = 1 << 12

    /// Bit n stands for `CallHead.Kind` n.
    package var triggers: UInt16
    /// Name and version of the SDK, such as `apus-swift/1`.
    package var sdk: String

    package init(version: UInt16 = Frame.protocolVersion, triggers: UInt16, sdk: String) {
        self.version = version
        self.triggers = triggers
        self.sdk = sdk
    }
}

package struct Welcome: Sendable, Hashable {
    package var version: UInt16
    /// Calls that the host sends at once, at most.
    package var concurrency: UInt32
    /// Body bytes that either side may send in a call before the other grants more.
    package var window: UInt32
    package var function: String

    package init(version: UInt16 = Frame.protocolVersion, concurrency: UInt32, window: UInt32, function: String) {
        self.version = version
        self.concurrency = concurrency
        self.window = window
        self.function = function
    }
}

package struct CallHead: Sendable, Hashable {
    package enum Kind: UInt8, Sendable {
        case http = 0
        case timer, file, topic, state
    }

    package var kind: Kind
    /// The UUID's 16 bytes as two big-endian halves.
    package var invocation: WireID
    /// 1 for the first.
    package var attempt: UInt32
    /// Microseconds that the call may take from now.
    package var time: UInt64
    /// Only for `http`.
    package var request: WireRequest?
    /// The event's CloudEvents attributes; empty for `http`.
    package var attributes: [WireField]

    package init(
        kind: Kind, invocation: WireID, attempt: UInt32, time: UInt64, request: WireRequest? = nil,
        attributes: [WireField] = []
    ) {
        self.kind = kind
        self.invocation = invocation
        self.attempt = attempt
        self.time = time
        self.request = request
        self.attributes = attributes
    }
}

package struct WireID: Sendable, Hashable {
    package var high: UInt64
    package var low: UInt64

    package init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }
}

/// An HTTP request before its body, in whatever type the sender has it.
package protocol WireRequestHead {
    associatedtype Field: WirePair
    var method: String { get }
    var path: String { get }
    var query: String { get }
    var remoteAddress: String { get }
    var parameters: [Field] { get }
    var headers: [Field] { get }
}

package struct WireRequest: WireRequestHead, Sendable, Hashable {
    package var method: String
    package var path: String
    package var query: String
    package var remoteAddress: String
    package var parameters: [WireField]
    package var headers: [WireField]

    package init(
        method: String, path: String, query: String, remoteAddress: String, parameters: [WireField],
        headers: [WireField]
    ) {
        self.method = method
        self.path = path
        self.query = query
        self.remoteAddress = remoteAddress
        self.parameters = parameters
        self.headers = headers
    }
}

package enum StateRequest: Sendable, Hashable {
    case get(key: String)
    case set(key: String, value: [UInt8])
    case delete(key: String)
    case increment(key: String, by: Int64)
    case list(prefix: String, after: String?, limit: UInt32)
    case send(WireMessage)
    case commit
    case abandon
    /// The handler has found it in the memory of values. `isRead`: what it does depends on it; else it is the number to which an
    /// increment adds.
    case found(key: String, value: [UInt8], version: Int64, isRead: Bool)
}

package enum StateReply: Sendable, Hashable {
    case value([UInt8])
    case absent
    case number(Int64)
    /// `more`: the answer was cut before the limit; ask again after the last key.
    case entries([WireEntry], more: Bool)
    case done
    case conflict
    case failed(code: String, message: String)
}

/// A message to a function or a topic.
package struct WireMessage: Sendable, Hashable {
    package var target: String
    /// Milliseconds that pass before it is delivered.
    package var after: UInt64
    /// CloudEvents attributes that the sender has chosen.
    package var attributes: [WireField]
    package var data: [UInt8]

    package init(target: String, after: UInt64 = 0, attributes: [WireField] = [], data: [UInt8]) {
        self.target = target
        self.after = after
        self.attributes = attributes
        self.data = data
    }
}

package struct WireEntry: Sendable, Hashable {
    package var key: String
    package var value: [UInt8]

    package init(key: String, value: [UInt8]) {
        self.key = key
        self.value = value
    }
}

extension WireID: CustomStringConvertible {
    /// The lowercase 8-4-4-4-12 form of the UUID.
    package var description: String {
        var digits: [UInt8] = []
        digits.reserveCapacity(36)
        for index in 0..<32 {
            if [8, 12, 16, 20].contains(index) { digits.append(UInt8(ascii: "-")) }
            let nibble = UInt8((index < 16 ? high : low) >> UInt64(60 - index % 16 * 4) & 0xF)
            digits.append(nibble < 10 ? UInt8(ascii: "0") + nibble : UInt8(ascii: "a") + nibble - 10)
        }
        return String(decoding: digits, as: UTF8.self)
    }
}
