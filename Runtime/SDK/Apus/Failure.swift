/// An error that another try cannot mend, such as a file that does not parse. The host does not retry it.
public protocol PermanentError: Error {}

/// A `PermanentError` with nothing but a message.
public struct PermanentFailure: PermanentError, CustomStringConvertible {
    /// What is wrong; goes to the log.
    public let description: String

    /// Creates the error with a message for the log.
    public init(_ description: String) { self.description = description }
}

/// Thrown in an HTTP handler, it is the answer: the status with the message as plain text. Nothing that the call wrote
/// to its state is applied; to answer an error and keep the writes, return a response with its status.
public struct HTTPError: Error, Sendable, Hashable, CustomStringConvertible {
    /// 400...599.
    public var status: Int
    /// Shown to the client.
    public var message: String

    /// Creates the error with its status code and a message for the client.
    public init(_ status: Int, _ message: String) {
        self.status = status
        self.message = message
    }

    /// The message with the status before it.
    public var description: String { "\(status): \(message)" }
}

/// What an operation on the state, or a message, could not do.
public struct StateError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The kind of failure.
    public enum Code: String, Sendable {
        /// An empty key, one over 1,024 bytes, a value or message over 1 MiB, attributes that CloudEvents does not allow,
        /// or an operation after the effects were committed.
        case invalid
        /// `increment` on a value that is not a number, or past its range.
        case notANumber
        /// Nobody gets what is sent to that name: it is neither a function nor a topic of one.
        case unknownTarget
        /// A chain of 16 messages, each sent by the handler of the one before, ends here.
        case chainTooLong
        /// The queue of who would get the message has no room now.
        case queueFull
        /// `immediately` met a conflict in each of its runs.
        case conflict
        /// The store cannot be read or written now.
        case unavailable
    }

    /// The kind of failure.
    public var code: Code
    /// What happened and what to do about it.
    public var description: String

    init(_ code: Code, _ description: String) {
        self.code = code
        self.description = description
    }
}

/// The host said something that does not fit; ends the call.
struct UnexpectedReply: Error, CustomStringConvertible {
    var description: String
}
