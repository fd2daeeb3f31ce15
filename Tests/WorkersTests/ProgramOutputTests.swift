import Events
import NIOCore
import Testing
import Workers

@Suite("The output of a program")
struct ProgramOutputTests {
    private static let plain = "Content-Type: text/plain\n\n"
    private static let head = ResponseHead(status: 200, headers: [HeaderField("Content-Type", "text/plain")])

    private func output(isRequest: Bool = true) -> ProgramOutput {
        ProgramOutput(reader: CGIHeadReader(), isRequest: isRequest)
    }

    @Test("is held back until the program has ended")
    func heldBack() throws {
        var output = output()
        #expect(try output.take(ByteBuffer(string: "Content-Type: text/pl")) == .wait)
        #expect(try output.take(ByteBuffer(string: "ain\n\nhe")) == .wait)
        #expect(try output.take(ByteBuffer(string: "llo")) == .wait)
        #expect(try output.end() == .response(Self.head, ByteBuffer(string: "hello")))
    }

    @Test("goes out as it comes once more is there than is held back")
    func large() throws {
        var output = output()
        let bytes = ByteBuffer(repeating: 1, count: ProgramOutput.heldBack)
        #expect(try output.take(ByteBuffer(string: Self.plain)) == .wait)
        #expect(try output.take(bytes) == .wait)
        let all = ByteBuffer(repeating: 1, count: ProgramOutput.heldBack + 1)
        #expect(try output.take(ByteBuffer(bytes: [1])) == .open(Self.head, all))
        #expect(try output.take(ByteBuffer(bytes: [2])) == .more(ByteBuffer(bytes: [2])))
        #expect(try output.end() == .response(Self.head, ByteBuffer()))
    }

    @Test("goes out at once when it says that it streams")
    func streams() throws {
        var output = output()
        let head = ResponseHead(status: 200, headers: [HeaderField("Content-Type", "text/event-stream")])
        let step = try output.take(ByteBuffer(string: "Content-Type: text/event-stream\n\ndata: 1\n\n"))
        #expect(step == .open(head, ByteBuffer(string: "data: 1\n\n")))
        #expect(try output.take(ByteBuffer(string: "data: 2\n\n")) == .more(ByteBuffer(string: "data: 2\n\n")))
    }

    @Test("of an event is for the log, without its head")
    func event() throws {
        var output = output(isRequest: false)
        #expect(try output.take(ByteBuffer(string: Self.plain + "done")) == .more(ByteBuffer(string: "done")))
        #expect(try output.end() == .response(Self.head, ByteBuffer()))
    }

    @Test("of a local redirect is forgotten")
    func redirect() throws {
        var output = output()
        #expect(try output.take(ByteBuffer(string: "Location: /a\n\nbody")) == .wait)
        #expect(try output.take(ByteBuffer(repeating: 1, count: 200_000)) == .wait)
        #expect(try output.end() == .redirect("/a"))
    }

    @Test("that is not complete is a failure")
    func incomplete() throws {
        var output = output()
        #expect(try output.take(ByteBuffer(string: "Content-Type: text/plain\n")) == .wait)
        #expect(throws: CallFailure.self) { try output.end() }
    }
}
