import Foundation
import Manifests
import Support
import Testing

@testable import Hosting

@Suite("A changed handler is told from an unchanged one")
struct HandlerStampTests {
    private static func handler(
        _ arguments: String..., folder: String, contract: Handler.Contract = .stdio
    ) -> Handler {
        Handler(command: ["/bin/sh"] + arguments, contract: contract, directory: folder)
    }

    private static func write(_ text: String, to path: String, atomically: Bool = true) throws {
        let folder = (path as NSString).deletingLastPathComponent
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        try text.write(toFile: path, atomically: atomically, encoding: .utf8)
    }

    @Test("a program that is not there has no stamp")
    func missing() {
        #expect(HandlerStamp(of: Handler(command: ["/no/such"], contract: .stdio, directory: "/")) == nil)
        #expect(HandlerStamp(of: Handler(command: [], contract: .stdio, directory: "/")) == nil)
    }

    @Test("a program that is replaced is another; one that stays is not")
    func program() async throws {
        try await withTemporaryFolder { folder in
            let handler = Handler(command: [folder + "/program"], contract: .stdio, directory: folder)
            try Self.write("one", to: folder + "/program")
            let first = HandlerStamp(of: handler)
            #expect(first != nil)
            #expect(HandlerStamp(of: handler) == first)
            try Self.write("two", to: folder + "/program")
            #expect(HandlerStamp(of: handler) != first)
        }
    }

    @Test("a link that leads to another program is a change")
    func link() async throws {
        try await withTemporaryFolder { folder in
            for name in ["one", "two"] { try Self.write("same", to: "\(folder)/\(name)") }
            let link = folder + "/current"
            let handler = Handler(command: [link], contract: .stdio, directory: folder)
            try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: "one")
            let first = HandlerStamp(of: handler)
            try FileManager.default.removeItem(atPath: link)
            try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: "two")
            #expect(HandlerStamp(of: handler) != first)
        }
    }

    @Test("a rewrite that keeps size, place and time of the file is a change")
    func sameSizeAndTime() async throws {
        try await withTemporaryFolder { folder in
            let path = folder + "/program"
            let handler = Handler(command: [path], contract: .stdio, directory: folder)
            let time = Date(timeIntervalSince1970: 1_700_000_000)
            func rewrite(_ text: String) throws -> HandlerStamp? {
                try Self.write(text, to: path, atomically: false)
                try FileManager.default.setAttributes([.modificationDate: time], ofItemAtPath: path)
                return HandlerStamp(of: handler)
            }
            let first = try rewrite("one")
            // The kernel's clock for files ticks a few hundred times a second.
            let isSeen = try await eventually { try rewrite("two") != first }
            #expect(isSeen)
        }
    }

    @Test(
        "what an interpreter is given counts: scripts, modules, and handlers of AWS Lambda",
        arguments: [
            (["handler.py"], "handler.py", Handler.Contract.stdio),
            (["-u", "./sub/../handler.py", "--fast"], "handler.py", .http),
            (["-m", "shop.orders"], "shop/orders.py", .http),
            (["-m", "shop"], "shop/__main__.py", .http),
            (["-m", "uvicorn", "shop.web:app"], "shop/web.py", .http),
            (["-m", "awslambdaric", "orders.handler"], "orders.py", .lambda),
            (["src/orders.handler"], "src/orders.mjs", .lambda),
        ])
    func arguments(arguments: [String], file: String, contract: Handler.Contract) async throws {
        try await withTemporaryFolder { folder in
            let handler = Handler(command: ["/bin/sh"] + arguments, contract: contract, directory: folder)
            let without = HandlerStamp(of: handler)
            try Self.write("one", to: "\(folder)/\(file)")
            let first = HandlerStamp(of: handler)
            #expect(first != without)
            try Self.write("other", to: folder + "/unrelated.py")
            #expect(HandlerStamp(of: handler) == first)
            try Self.write("two", to: "\(folder)/\(file)")
            #expect(HandlerStamp(of: handler) != first)
        }
    }

    @Test("folders among the arguments do not count: what is in them comes and goes")
    func folders() async throws {
        try await withTemporaryFolder { folder in
            let handler = Self.handler("-c", "ls", ".", folder: folder)
            let first = HandlerStamp(of: handler)
            try Self.write("one", to: folder + "/new")
            #expect(HandlerStamp(of: handler) == first)
        }
    }
}
