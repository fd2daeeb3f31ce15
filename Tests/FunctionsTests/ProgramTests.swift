import Foundation
import Testing

/// The built program of `name`, beside the tests.
private func program(_ name: String) -> URL {
    URL(fileURLWithPath: CommandLine.arguments[0]).resolvingSymlinksInPath().deletingLastPathComponent()
        .appendingPathComponent(name)
}

@Suite("The program of a function")
struct ProgramTests {
    @Test("without the worker's socket says what it is, and exits as for wrong usage")
    func byHand() throws {
        let process = Process()
        let errors = Pipe()
        process.executableURL = program("Hello")
        process.standardError = errors
        try process.run()
        let text = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        #expect(process.terminationStatus == 64)
        #expect(text.hasPrefix("This is a function for Apus"))
    }

    @Test("Hello links neither Foundation nor ICU, and Guestbook only the essentials")
    func links() throws {
        let hello = try Data(contentsOf: program("Hello"))
        #expect(hello.range(of: Data("libswift_Concurrency".utf8)) != nil)
        for library in ["libFoundation", "lib_Foundation", "libicu"] {
            #expect(hello.range(of: Data(library.utf8)) == nil)
        }
        let guestbook = try Data(contentsOf: program("Guestbook"))
        #expect(guestbook.range(of: Data("libFoundationEssentials".utf8)) != nil)
        #expect(guestbook.range(of: Data("libFoundation.so".utf8)) == nil)
    }
}
