import Testing
import Workers

@Suite("A line splitter")
struct LineSplitterTests {
    private func lines(_ chunks: [[UInt8]]) -> [String] {
        var splitter = LineSplitter()
        var lines: [String] = []
        for chunk in chunks { chunk.withUnsafeBytes { splitter.take($0) { lines.append($0) } } }
        splitter.finish { lines.append($0) }
        return lines
    }

    private func lines(_ chunks: String...) -> [String] { lines(chunks.map { Array($0.utf8) }) }

    @Test("cuts at line ends, of Unix and of DOS, and keeps empty lines")
    func ends() {
        #expect(lines("a\nb\r\n\nc\n") == ["a", "b", "", "c"])
    }

    @Test("joins what comes in pieces, and gives the last line without an end")
    func pieces() {
        #expect(lines("a", "b\nc", "", "d\r", "\ne") == ["ab", "cd", "e"])
    }

    @Test("repairs what is not UTF-8")
    func invalid() {
        #expect(lines([[0x61, 0xFF, 0x62, 0x0A]]) == ["a\u{FFFD}b"])
    }

    @Test("joins a character that comes in two pieces")
    func splitCharacter() {
        #expect(lines([[0xC3], [0xA4, 0x0A]]) == ["ä"])
    }

    @Test("cuts a long line at 64 KiB, with a marker, and goes on after its end", arguments: [1, 7, 65_536, 200_000])
    func long(_ step: Int) {
        let text = [UInt8](repeating: UInt8(ascii: "x"), count: 150_000) + Array("\nnext\n".utf8)
        let chunks = stride(from: 0, to: text.count, by: step).map { Array(text[$0..<min($0 + step, text.count)]) }
        let cut = lines(chunks)
        #expect(cut.map(\.utf8.count) == [LineSplitter.longest + LineSplitter.marker.utf8.count, 4])
        #expect(cut.first?.hasSuffix(LineSplitter.marker) == true)
    }

    @Test("leaves a line of exactly 64 KiB as it is")
    func exact() {
        let text = String(repeating: "x", count: LineSplitter.longest)
        #expect(lines(text + "\n") == [text])
    }
}
