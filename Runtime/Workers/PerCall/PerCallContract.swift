package import Events
package import NIOCore

/// What differs between the contracts that run one process an invocation. `PerCallRun` does what they have in common.
protocol PerCallContract: Sendable {
    /// Whether the program must be told the length of its input before it starts, so that a body of unknown length is
    /// collected first.
    var tellsLength: Bool { get }

    /// Whether an exit status other than 0 fails a request that has its response.
    var mindsExitStatus: Bool { get }

    /// What the program finds in its environment about this invocation.
    ///
    /// - Parameter length: bytes of its input; `nil` when there is none, or when it is not known.
    func variables(for invocation: Invocation, length: Int?) -> [String: String]

    /// Reads the output of one call.
    func makeReader() -> any ProgramHeadReader
}

/// Finds out what a program answers, at the front of its output.
package protocol ProgramHeadReader {
    /// Takes what belongs to the head off `output`, which holds all that has come and was not taken.
    ///
    /// - Parameter isWhole: nothing more will come.
    /// - Returns: `nil` when more is needed, which is not so once it is whole.
    /// - Throws: what is wrong with it.
    mutating func read(_ output: inout ByteBuffer, isWhole: Bool) throws(CallFailure) -> ProgramHead?
}

/// What a program answers, before its body.
package enum ProgramHead: Equatable {
    /// `streams`: each part of the body is of use by itself, and must not wait for the next.
    case response(ResponseHead, streams: Bool)
    /// The host answers as if this path and query had been asked for.
    case redirect(String)
}
