package import Events
package import NIOCore

/// What becomes of a program's output. Bytes in, steps out.
///
/// A response is held back until the program has ended, so that one that fails gets a proper error, and what it has done
/// to the state is complete before its caller hears of it; unless it is large, or says that it streams.
package struct ProgramOutput {
    /// Bytes that are held back at most.
    package static let heldBack = 64 << 10

    package enum Step: Equatable {
        case wait
        /// The response begins with this.
        case open(ResponseHead, ByteBuffer)
        /// The response goes on, or an event's program has printed this.
        case more(ByteBuffer)
    }

    package enum End: Equatable {
        case redirect(String)
        /// With what is left of its body: all of it, unless `isOpen`.
        case response(ResponseHead, ByteBuffer)
    }

    private var reader: any ProgramHeadReader
    private let isRequest: Bool
    private var held = ByteBuffer()
    package private(set) var head: ProgramHead?
    /// Its caller has the response's head already.
    package private(set) var isOpen = false

    package init(reader: any ProgramHeadReader, isRequest: Bool) {
        self.reader = reader
        self.isRequest = isRequest
    }

    package mutating func take(_ bytes: ByteBuffer) throws(CallFailure) -> Step {
        held.writeImmutableBuffer(bytes)
        if head == nil { head = try reader.read(&held, isWhole: false) }
        switch head {
        case nil: return .wait
        case .redirect:
            held.clear()
            return .wait
        case .response(let head, let streams):
            if isOpen || !isRequest { return .more(takeHeld()) }
            guard streams || held.readableBytes > Self.heldBack else { return .wait }
            isOpen = true
            return .open(head, takeHeld())
        }
    }

    /// The program has ended and nothing more comes.
    package mutating func end() throws(CallFailure) -> End {
        if head == nil { head = try reader.read(&held, isWhole: true) }
        switch head {
        case nil: throw CallFailure(.contractBroken, "the program's output is not complete")
        case .redirect(let target): return .redirect(target)
        case .response(let head, _): return .response(head, takeHeld())
        }
    }

    private mutating func takeHeld() -> ByteBuffer {
        defer { held = ByteBuffer() }
        return held
    }
}
