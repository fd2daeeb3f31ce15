import Foundation
import Support
import Testing

/// The statically linked `Hello` that `make test` has built.
@Suite("A static function is small")
struct StaticTests {
    private static let hello = repository + "/.build/release/Hello"

    @Test("it links neither Foundation nor ICU, and loads no libstdc++")
    func libraries() throws {
        try #require(
            FileManager.default.isExecutableFile(atPath: Self.hello), "\(Self.hello) is missing; `make test` builds it")
        let libraries = try run("/usr/bin/env", ["ldd", Self.hello]).output.lowercased()
        #expect(!libraries.contains("foundation") && !libraries.contains("icu") && !libraries.contains("libswift"))
        // Loading and relocating it takes a third of the time that a process needs to start.
        #expect(!libraries.contains("libstdc++") && !libraries.contains("libgcc"))
        // Statically linked, they would show among the symbols, by their mangled module names.
        let symbols = try run("/usr/bin/env", ["nm", "--defined-only", Self.hello]).output
        #expect(symbols.contains("4Apus"))
        #expect(!symbols.contains("$s20FoundationEssentials") && !symbols.contains("$s10Foundation"))
        #expect(!symbols.contains("ucal_open") && !symbols.contains("_CFRuntime"))
    }

    @Test("its idle worker stays under 7 MB")
    func memory() async throws {
        let manifest = """
            name: hello
            handler: { command: [\(Self.hello)], contract: apus }
            triggers: [{ http: { path: "/hello/{name?}" } }]
            """
        try await ApusHost.with(["hello": manifest]) { host in
            #expect(try host.get("/hello/Ada").text == "Hello, Ada!\n")
            let worker = try #require(host.workerPIDs.first)
            let status = try String(contentsOfFile: "/proc/\(worker)/status", encoding: .utf8)
            let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("VmRSS:") })
            let kilobytes = try #require(Int(line.split(separator: " ")[1]))
            #expect(kilobytes < 7 * 1024)
        }
    }
}
