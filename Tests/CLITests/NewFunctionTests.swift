import ArgumentParser
import Events
import Foundation
import Manifests
import Support
import Testing

@testable import CLI

@Suite struct NewFunctionTests {
    static func write(
        _ name: String, _ trigger: FunctionTemplate.Trigger, _ language: FunctionTemplate.Language,
        _ place: NewFunction.Place, contract: Handler.Contract? = nil
    ) throws -> NewFunction.Written {
        let template = FunctionTemplate(name: name, trigger: trigger, language: language, contract: contract)
        return try NewFunction(template: template, place: place).write()
    }

    @Test(
        "a script passes the check as it is", arguments: FunctionTemplate.Trigger.allCases,
        [FunctionTemplate.Language.shell, .python])
    func script(trigger: FunctionTemplate.Trigger, language: FunctionTemplate.Language) async throws {
        try await withTemporaryFolder { folder in
            let written = try Self.write("my-job", trigger, language, .scripts(folder))
            #expect(written.files.count == 2)
            let result = ManifestLoader.load([folder + "/manifests"])
            #expect(result.problems.isEmpty, "\(result.problems)")
            let manifest = try #require(result.manifests.first)
            #expect(manifest.handler.directory == folder + "/functions/my-job")
            #expect(manifest.handler.contract == (language == .python ? .apus : .stdio))
            #expect(manifest.triggers.map(\.kind.rawValue) == [trigger.rawValue])
        }
    }

    @Test("each contract of a language has a template", arguments: FunctionTemplate.Language.allCases)
    func contracts(language: FunctionTemplate.Language) async throws {
        for contract in language.contracts where language != .swift {
            try await withTemporaryFolder { folder in
                _ = try Self.write("my-job", .http, language, .scripts(folder), contract: contract)
                let result = ManifestLoader.load([folder + "/manifests"])
                #expect(result.problems.isEmpty, "\(result.problems)")
                #expect(result.manifests.first?.handler.contract == contract)
            }
        }
    }

    @Test("a contract that a language has no template for is refused")
    func unknownContract() throws {
        #expect(throws: (any Error).self) { try NewCommand.parse(["a", "--language", "shell", "--contract", "http"]) }
        _ = try NewCommand.parse(["a", "--language", "shell", "--contract", "cgi"])
    }

    @Test(
        "a Swift package's manifest is right but for the build that it asks for",
        arguments: FunctionTemplate.Trigger.allCases)
    func package(trigger: FunctionTemplate.Trigger) async throws {
        try await withTemporaryFolder { folder in
            let written = try Self.write("my-job", trigger, .swift, .package(folder + "/my-job", apus: "/src/apus"))
            #expect(written.next.first?.contains("swift build") == true)
            let result = ManifestLoader.load([folder + "/my-job/manifests"], handlers: .unchecked)
            #expect(result.problems.isEmpty, "\(result.problems)")
            #expect(result.manifests.first?.handler.product == "MyJob")
            let source = try String(contentsOfFile: folder + "/my-job/Sources/MyJob/MyJob.swift", encoding: .utf8)
            #expect(source.hasPrefix("import Apus\n\n@main\nstruct MyJob: "))
            let package = try String(contentsOfFile: folder + "/my-job/Package.swift", encoding: .utf8)
            #expect(package.contains("path: \"/src/apus\""))
        }
    }

    @Test("in a checkout the package gets a line more")
    func checkout() async throws {
        try await withTemporaryFolder { folder in
            let package = """
                let package = Package(
                    name: "apus",
                    targets: [
                        .function("Hello"),
                        .function("Guestbook", "ApusJSON"),
                    ])
                """
            try Data(package.utf8).write(to: URL(filePath: folder + "/Package.swift"))
            #expect(NewFunction.isCheckout(folder))
            _ = try Self.write("my-job", .http, .swift, .checkout(folder))
            let changed = try String(contentsOfFile: folder + "/Package.swift", encoding: .utf8)
            #expect(
                changed.contains("        .function(\"Guestbook\", \"ApusJSON\"),\n        .function(\"MyJob\"),\n"))
            #expect(FileManager.default.fileExists(atPath: folder + "/Functions/MyJob/MyJob.swift"))
            #expect(FileManager.default.fileExists(atPath: folder + "/Functions/MyJob/README.md"))
            #expect(FileManager.default.fileExists(atPath: folder + "/manifests/my-job.yaml"))
        }
    }

    @Test(
        "a name that the SDK, Swift or another target has is refused",
        arguments: ["context", "state", "timer-event", "hello", "cli", "logging", "apus", "string"])
    func taken(name: String) async throws {
        try await withTemporaryFolder { folder in
            let package = """
                let package = Package(
                    name: "apus",
                    targets: [
                        .executableTarget(name: "Cli"),
                        .function("Hello"),
                    ])
                let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
                """
            try Data(package.utf8).write(to: URL(filePath: folder + "/Package.swift"))
            for place in [NewFunction.Place.checkout(folder), .package(folder + "/new", apus: folder)] {
                let failure = #expect(throws: Failure.self) { try Self.write(name, .http, .swift, place) }
                #expect(failure?.status == .cannotCreate)
            }
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["Package.swift"])
            _ = try Self.write(name, .http, .shell, .scripts(folder))
        }
    }

    @Test("nothing is overwritten, and nothing is half written")
    func existing() async throws {
        try await withTemporaryFolder { folder in
            try FileManager.default.createDirectory(atPath: folder + "/manifests", withIntermediateDirectories: true)
            try Data("mine".utf8).write(to: URL(filePath: folder + "/manifests/my-job.yaml"))
            let failure = #expect(throws: Failure.self) { try Self.write("my-job", .http, .shell, .scripts(folder)) }
            #expect(failure?.status == .cannotCreate)
            #expect(!FileManager.default.fileExists(atPath: folder + "/functions"))
            #expect(try String(contentsOfFile: folder + "/manifests/my-job.yaml", encoding: .utf8) == "mine")
        }
    }

    @Test("a folder that is no checkout is none")
    func noCheckout() async throws {
        await #expect(try withTemporaryFolder { NewFunction.isCheckout($0) } == false)
    }
}
