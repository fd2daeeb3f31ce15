import Foundation
import Manifests
import Support
import Testing

@Suite struct HandlerResolverTests {
    @Test("a product beside apus goes before the package's, release before debug")
    func productOrder() async throws {
        try await withTemporaryFolder { folder in
            try makeFile(folder + "/package/Package.swift", "// declares Tool")
            let manifests = folder + "/package/deep/manifests"
            try makeFolder(manifests)
            let resolver = HandlerResolver(beside: folder + "/bin", searchPath: "")
            func found() -> [String]? { try? resolver.locate(.product("Tool"), manifests, manifests).get() }

            try makeProgram(folder + "/package/.build/debug/Tool")
            #expect(found() == [folder + "/package/.build/debug/Tool"])
            try makeProgram(folder + "/package/.build/release/Tool")
            #expect(found() == [folder + "/package/.build/release/Tool"])
            try makeProgram(folder + "/bin/Tool")
            #expect(found() == [folder + "/bin/Tool"])
        }
    }

    @Test("a product that is not there: not built, not declared, or no package at all")
    func productMissing() async throws {
        try await withTemporaryFolder { folder in
            let resolver = HandlerResolver(beside: nil, searchPath: "")
            #expect(
                message(resolver, .product("Tool"), folder)
                    == "no executable 'Tool' beside apus, and no Package.swift in \(folder) or above it")
            try makeFile(folder + "/Package.swift", "// declares Tools, which is another")
            #expect(
                message(resolver, .product("Toil"), folder)
                    == "\(folder)/Package.swift declares no product 'Toil'; "
                    + "correct the name, or declare it and run `swift build --product Toil`")
            try makeFile(folder + "/Package.swift", "// declares Tool")
            #expect(
                message(resolver, .product("Tool"), folder)
                    == "the product 'Tool' is not built; run `swift build --product Tool` in \(folder)")
        }
    }

    @Test("a command without a slash is looked for on PATH, its arguments stay")
    func searchPath() async throws {
        try await withTemporaryFolder { folder in
            try makeFile(folder + "/first/tool", "not executable")
            try makeFolder(folder + "/second/tool")
            try makeProgram(folder + "/third/tool")
            let resolver = HandlerResolver(
                beside: nil, searchPath: "\(folder)/first:\(folder)/second::\(folder)/third")
            #expect(
                try resolver.locate(.command(["tool", "-x", ""]), folder, folder).get()
                    == [folder + "/third/tool", "-x", ""])
            try makeProgram(folder + "/local")
            #expect(
                message(resolver, .command(["local"]), folder)
                    == "no program 'local' on PATH; write './local' for the one in \(folder)")
        }
    }

    @Test("a command with a slash is seen from the working directory, and has to be executable")
    func relative() async throws {
        try await withTemporaryFolder { folder in
            try makeProgram(folder + "/work/run.sh")
            try makeFile(folder + "/work/plain.sh", "#!/bin/sh\n")
            let resolver = HandlerResolver(beside: nil, searchPath: "")
            let work = folder + "/work"
            #expect(try resolver.locate(.command(["./run.sh"]), work, folder).get() == [work + "/run.sh"])
            #expect(
                message(resolver, .command(["./run.sh"]), folder) == "the program \(folder)/run.sh does not exist")
            #expect(
                message(resolver, .command([work]), folder) == "\(work) is a directory, not a program")
            #expect(
                message(resolver, .command(["work/plain.sh"]), folder)
                    == "\(work)/plain.sh is not executable; run `chmod +x \(work)/plain.sh`")
            #expect(
                message(resolver, .command(["run.sh"]), folder + "/none")
                    == "there is no directory \(folder)/none")
        }
    }

    @Test(
        "an interpreter's script has to be there, seen from the working directory",
        arguments: ["sh", "bash", "python3", "python3.12", "perl", "ruby", "node", "lua5.4"])
    func missingScript(_ interpreter: String) async throws {
        try await withTemporaryFolder { folder in
            try makeProgram("\(folder)/bin/\(interpreter)")
            try makeFile(folder + "/work/there", "")
            let resolver = HandlerResolver(beside: nil, searchPath: folder + "/bin")
            let work = folder + "/work"
            let program = "\(folder)/bin/\(interpreter)"
            #expect(
                try resolver.locate(.command([interpreter, "there", "x"]), work, folder).get()
                    == [program, "there", "x"])
            let message = "the script \(work)/nowhere does not exist; write it, or correct its path"
            #expect(self.message(resolver, .command([interpreter, "nowhere"]), work) == message)
            #expect(self.message(resolver, .command([program, "./nowhere", "there"]), work) == message)
            #expect(
                self.message(resolver, .command([interpreter, "/nowhere"]), work)
                    == "the script /nowhere does not exist; write it, or correct its path")
        }
    }

    @Test(
        "a script is seen behind options that take no value, and behind env",
        arguments: [
            ["python3", "-u", "x.py"], ["python3", "-uB", "-O", "x.py", "there"], ["bash", "-e", "-ux", "x.sh"],
            ["env", "python3", "x.py"], ["/usr/bin/env", "perl", "-w", "x.pl"], ["ruby", "-w", "x.rb"],
            ["php", "-n", "x.php"], ["lua", "-E", "x.lua"],
        ])
    func missingBehindOptions(_ command: [String]) async throws {
        try await withTemporaryFolder { folder in
            for name in ["bash", "env", "lua", "perl", "php", "python3", "ruby"] {
                try makeProgram("\(folder)/bin/\(name)")
            }
            let resolver = HandlerResolver(beside: nil, searchPath: folder + "/bin")
            let index = try #require(command.firstIndex(where: { $0.hasPrefix("x.") }))
            let script = "\(folder)/\(command[index])"
            guard case .failure(let failure) = resolver.locate(.command(command), folder, folder) else {
                Issue.record("the script is not missed")
                return
            }
            #expect(failure.message == "the script \(script) does not exist; write it, or correct its path")
            #expect(failure.part == .word(index))
            try makeFile(script, "")
            #expect(message(resolver, .command(command), folder) == nil)
        }
    }

    @Test(
        "a word that may be something else than a script is not looked for",
        arguments: [
            ["sh", "-c", "echo hello"], ["sh", "-", "x"], ["sh", "+e", "x"], ["sh"], ["python3", "-m", "shop.orders"],
            ["cat", "nowhere"], ["python.sh", "nowhere"], ["tool3", "nowhere"], ["node", "inspect", "app.js"],
            ["bin/node", "serve"], ["sh", "-ec", "nowhere"], ["sh", "-e", "-"], ["sh", "-eo", "pipefail", "nowhere"],
            ["sh", "-l", "nowhere"], ["python3", "-um", "shop"], ["python3", "-u", "-c", "nowhere"], ["python3", "-u"],
            ["python3", "-W", "ignore", "nowhere"], ["python3", "-V", "nowhere"], ["python3", "--", "nowhere"],
            ["node", "-e", "nowhere"], ["node", "-r", "nowhere", "app"], ["env"], ["env", "A=b", "sh", "nowhere"],
            ["env", "-i", "sh", "nowhere"], ["env", "sh"], ["env", "sh", "-c", "nowhere"], ["env", "cat", "nowhere"],
            ["env", "bin/sh", "nowhere"],
            // Found by Node.js, and on the PATH.
            ["node", "app"], ["sh", "cat"],
        ])
    func noScript(_ command: [String]) async throws {
        try await withTemporaryFolder { folder in
            for name in ["sh", "python3", "cat", "python.sh", "tool3", "node", "env"] {
                try makeProgram("\(folder)/bin/\(name)")
            }
            try makeFile(folder + "/app.js", "")
            let resolver = HandlerResolver(beside: nil, searchPath: folder + "/bin")
            #expect(message(resolver, .command(command), folder) == nil)
        }
    }

    @Test("what the resolver says is told at the program, and what it finds is in the manifest")
    func inManifest() async throws {
        try await withTemporaryFolder { folder in
            let resolver = HandlerResolver { _, directory, folder in
                directory == folder ? .success(["/found", "x"]) : .failure(.init(message: "nowhere"))
            }
            let found = try load("name: a\nhandler: { product: P }\n", in: folder, handlers: resolver)
            let expected = Handler(command: ["/found", "x"], contract: .apus, directory: folder, product: "P")
            #expect(found.manifests.map(\.handler) == [expected])
            let text = "name: a\nhandler:\n  directory: below\n  product: P\n"
            let missing = try load(text, in: folder, handlers: resolver)
            #expect(missing.problems.map(\.message) == ["handler.product: nowhere"])
            #expect(missing.problems.map(\.position) == [Position(line: 4, column: 12)])
        }
    }

    @Test("a working directory that is not there is told at its key")
    func directory() async throws {
        try await withTemporaryFolder { folder in
            let text = "name: a\nhandler:\n  command: [cat]\n  directory: none\n"
            let problems = try load(text, in: folder, handlers: .installed).problems
            #expect(problems.map(\.message) == ["handler.directory: there is no directory \(folder)/none"])
            #expect(problems.map(\.position) == [Position(line: 4, column: 14)])
        }
    }

    private func message(_ resolver: HandlerResolver, _ program: HandlerResolver.Program, _ folder: String) -> String? {
        guard case .failure(let failure) = resolver.locate(program, folder, folder) else { return nil }
        return failure.message
    }
}

private func makeFolder(_ path: String) throws {
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
}

private func makeFile(_ path: String, _ text: String) throws {
    try makeFolder(URL(fileURLWithPath: path).deletingLastPathComponent().path)
    try text.write(toFile: path, atomically: true, encoding: .utf8)
}

private func makeProgram(_ path: String) throws {
    try makeFile(path, "#!/bin/sh\n")
    try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: path)
}
