import Admin
import ArgumentParser
import Events
import Glibc
import NIOCore
import Storage
import Testing

@testable import CLI
@testable import Hosting

@Suite struct ArgumentTests {
    @Test(
        "a host is found by address or URL, with or without a port",
        arguments: [
            ("127.0.0.1:9000", "127.0.0.1:9000"), ("localhost", "localhost:8081"), ("http://box:1/", "box:1"),
            ("[::1]:9000", "[::1]:9000"), ("http://[::1]", "[::1]:8081"),
        ])
    func address(text: String, expected: String) {
        #expect(AdminAddress(argument: text)?.description == expected)
    }

    @Test(
        "what is no address is refused", arguments: ["", ":80", "box:", "box:0", "box:99999", "box:a", "a/b", "[::1"])
    func noAddress(text: String) {
        #expect(AdminAddress(argument: text) == nil)
    }

    @Test("the help of invoke says what is printed")
    func invokeHelp() {
        let help = InvokeCommand.helpMessage(includeHidden: false, columns: 1000)
        #expect(help.contains("prints 'queued ID'"))
        #expect(help.contains("or 'succeeded ID' for an event"))
    }

    @Test("a moment is a time, a day, or a length of time ago")
    func moments() throws {
        let now = WallTime(milliseconds: 1_000_000_000)
        #expect(try #require(Moment(argument: "15m")).time(now: now) == now.advanced(by: .seconds(-900)))
        #expect(try #require(Moment(argument: "now")).time(now: now) == now)
        #expect(try #require(Moment(argument: "1970-01-02")).time().milliseconds == 86_400_000)
        #expect(try #require(Moment(argument: "1970-01-01T01:00:00+01:00")).time().milliseconds == 0)
        #expect(Moment(argument: "yesterday") == nil)
        #expect(Moment(argument: "99999999999d") == nil)
    }

    @Test("lengths of time that no calendar reaches are refused")
    func lengths() throws {
        for arguments in [
            ["timers", "--for", "99999999999d"], ["timers", "--for", "3661d"], ["serve", "--drain", "2d"],
        ] {
            #expect(throws: (any Error).self) { try ApusCommand.parseAsRoot(arguments) }
        }
        _ = try ApusCommand.parseAsRoot(["timers", "--for", "3660d"])
    }

    @Test("a check is of manifests, of what workers keep, or of a data folder, and only what belongs together is taken")
    func checks() throws {
        _ = try ApusCommand.parseAsRoot(["check", "--data", "d", "--json"])
        for arguments in [
            ["--data", "d", "--leaks", "f", "--event", "e"], ["--data", "d", "--event", "e"], ["--json"],
        ] {
            #expect(throws: (any Error).self) { try ApusCommand.parseAsRoot(["check"] + arguments) }
        }
    }

    @Test("what keeps a backup, a restore or a check from its work has a status of its own")
    func storageFailures() {
        let statuses: [StorageError.Code: Failure.Status] = [
            .inUse: .temporary, .missing: .noInput, .exists: .cannotCreate, .full: .cannotCreate, .disk: .inputOutput,
            .damaged: .data, .foreign: .data, .newerVersion: .data,
        ]
        for (code, status) in statuses { #expect(Failure(StorageError(code, "why")) == Failure(status, "why")) }
    }

    @Test("why a host does not start has a status of its own")
    func startFailures() throws {
        let configuration = try #require(try ApusCommand.parseAsRoot(["serve"]) as? ServeCommand)
            .hostConfiguration(cores: 2)
        func failure(_ error: any Error) -> Failure { Failure(StartFailure(error, configuration: configuration)) }
        #expect(failure(StorageError(.inUse, "used")) == Failure(.temporary, "used"))
        #expect(failure(StorageError(.inaccessible, "closed")) == Failure(.cannotCreate, "closed"))
        #expect(failure(StorageError(.newerVersion, "new")) == Failure(.data, "new"))
        let taken = failure(IOError(errnoCode: EADDRINUSE, reason: "bind"))
        #expect(taken.status == .unavailable)
        #expect(taken.description.hasPrefix("cannot listen on 127.0.0.1:8081 for the admin API: "))
        let poor = failure(StartFailure(.sandbox, "no Landlock"))
        #expect(poor == Failure(.unavailable, "no Landlock"))
        #expect(poor.status.rawValue == 69)
        #expect(failure(CancellationError()).status == .software)
    }

    @Test("a target carries anything in its segments and its query")
    func targets() {
        let target = Target("v1", "state", "a b", "x/y?ä").with("prefix", "&=").with("after", nil).with("limit", "1")
        #expect(target.description == "/v1/state/a%20b/x%2Fy%3F%C3%A4?prefix=%26%3D&limit=1")
    }

    @Test("serve passes on what it is told, and keeps the host's own defaults")
    func serve() throws {
        let plain = try #require(try ApusCommand.parseAsRoot(["serve"]) as? ServeCommand).hostConfiguration(cores: 8)
        #expect(plain.manifests == ["manifests"])
        #expect(plain.listen.description == "127.0.0.1:8080")
        #expect(plain.admin.description == "127.0.0.1:8081")
        #expect(plain.data == ".apus")
        #expect(plain.lanes == 8)
        let told = try #require(
            try ApusCommand.parseAsRoot([
                "serve", "a", "b.yaml", "--data", "/d", "--listen", "[::]:80", "--admin", "127.0.0.1:0",
                "--max-workers",
                "3", "--lanes", "1", "--drain", "1m30s", "--watch", "--log-level", "debug", "--log-format", "json",
            ]) as? ServeCommand
        ).hostConfiguration(cores: 8)
        #expect(told.manifests == ["a", "b.yaml"])
        #expect(told.listen.description == "[::]:80")
        #expect(told.maxWorkers == 3)
        #expect(told.lanes == 1)
        #expect(told.drain == .seconds(90))
        #expect(told.watch)
    }

    @Test(
        "wrong usage ends with 64",
        arguments: [
            ["serve", "--listen", "8080"], ["serve", "--listen", "::1:80"], ["serve", "--drain", "soon"],
            ["serve", "--max-workers", "0"], ["serve", "--lanes", "0"], ["serve", "--log-level", "loud"], ["show"],
            ["list", "--admin", "x:0"], ["new", "Orders"], ["new", "-x"], ["new", "a", "--trigger", "pigeon"],
            ["dance"],
        ])
    func usage(arguments: [String]) {
        let error = #expect(throws: (any Error).self) { try ApusCommand.parseAsRoot(arguments) }
        #expect(error.map { ApusCommand.exitCode(for: $0).rawValue } == 64)
    }

    @Test(
        "an empty name or id is refused before anything is asked of a host",
        arguments: [
            ["state", "list", ""], ["state", "get", "", "k"], ["state", "get", "f", ""],
            ["state", "put", "f", "", "v"], ["state", "delete", "f", ""], ["dead", "list", "--function", ""],
            ["dead", "show", ""], ["dead", "retry", ""], ["dead", "drop", "0198c0de-7000-7000-8000-000000000000", ""],
            ["invocation", ""], ["cancel", ""], ["show", ""], ["invoke", ""], ["logs", ""],
            ["logs", "--invocation", ""], ["backup", ""], ["restore", ""],
        ])
    func emptyNames(arguments: [String]) {
        let error = #expect(throws: (any Error).self) { try ApusCommand.parseAsRoot(arguments) }
        #expect(error.map { ApusCommand.exitCode(for: $0).rawValue } == 64)
        #expect(error.map { ApusCommand.message(for: $0).hasSuffix("it is empty") } == true)
    }

    @Test(
        "what is no length of time is told what one is, also where it looks like an option",
        arguments: [["invoke", "f", "--async", "--after"], ["invocation", "id", "--wait"]])
    func wrongLengths(arguments: [String]) {
        for text in ["-1s", "soon", ""] {
            let error = #expect(throws: (any Error).self) { try ApusCommand.parseAsRoot(arguments + [text]) }
            #expect(error.map { ApusCommand.exitCode(for: $0).rawValue } == 64)
            #expect(error.map { ApusCommand.message(for: $0).contains("expected a length of time such as") } == true)
        }
    }

    @Test("every command explains itself with an example")
    func help() {
        let groups = ApusCommand.configuration.groupedSubcommands
        let commands = groups.flatMap(\.subcommands)
        #expect(Set(commands.map { $0.configuration.commandName ?? "" }).count == 15)
        for command in commands {
            #expect(!command.configuration.abstract.isEmpty, "\(command)")
            #expect(command.configuration.discussion.contains("\n  apus "), "\(command)")
        }
    }

    @Test("an invocation says what its options say")
    func invoke() throws {
        let command = try #require(
            try ApusCommand.parseAsRoot([
                "invoke", "orders", "--data", "hi", "--header", "A=b=c", "--header", "D: e", "--method", "PUT",
                "--path",
                "/x?y",
            ]) as? InvokeCommand)
        let request = try command.invocationRequest()
        #expect(request.data == "hi")
        #expect(request.headers == ["A": "b=c", "D": "e"])
        #expect(request.method == "PUT")
        #expect(request.path == "/x?y")
        #expect(request.trigger == nil && request.async == nil && request.event == nil)
        let event = try #require(
            try ApusCommand.parseAsRoot([
                "invoke", "inbox", "--trigger", "file", "--subject", "a.csv", "--type", "apus.file.deleted", "--async",
            ]) as? InvokeCommand
        ).invocationRequest()
        #expect(event.trigger == .file)
        #expect(event.event?.subject == "a.csv")
        #expect(event.event?.type == "apus.file.deleted")
        #expect(event.async == true)
    }
}
