import Admin
import ArgumentParser
import Events
import Foundation
import Hosting
import Manifests

struct CheckCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check", abstract: "Looks over manifests, or a data folder, and prints every problem.",
        discussion: """
            Reads the manifests as 'serve' does, without starting anything: keys, types, values, and what only the \
            manifests together can show, such as two functions with one route. Prints FILE:LINE:COLUMN: MESSAGE for each \
            problem, to standard error, and exits with 1 when there is any. Where there is none, it warns of what may \
            not be meant, such as a folder without manifests, or one to watch that is not there or is a file; 'serve' takes \
            that and logs the same warning.

            With --leaks, runs one event on workers that have run nothing, and on workers that have run it before, and \
            compares what they answer, what they leave in the state and what they send: a function that keeps nothing \
            between calls does the same. What differs between fresh workers, too, is told apart; dates and the \
            invocation's id are left out. The runs take place beside any host, on a state of their own that is empty at \
            each begin, and what is sent goes no further; what the function does elsewhere, it does. The file holds what \
            POST /v1/functions/NAME/invocations takes, such as {"path": "/hello/Ada"} or {"trigger": "timer"}. Exits \
            with 1 when there is a leak, and when there is nothing to compare: no run succeeds, an event of --before \
            fails, or no worker lives to be reused. With the contracts cgi and stdio each call has a process of its own \
            anyway.

            With --data, verifies the database of that folder instead, without changing anything, also while its host \
            runs: that the file is whole, that each row of the queue is in exactly one state, that the counts are those of \
            the rows, that no instant has fired twice, and more. Prints each violation to standard error. Exits with 65 \
            when there is any, or when it is no database of this Apus, 66 when there is none.

            Examples:

              apus check
              apus check --data .apus
              apus check manifests/hello.yaml shop/
              apus check --leaks hello --event hello.json
              apus check --leaks cart --event bob.json --before ada.json   does Bob see what Ada did?
            """)

    @Argument(help: "Manifest files and folders of them.", completion: .file(extensions: ["yaml", "yml"]))
    var manifests: [String] = ["manifests"]

    @Flag(name: .shortAndLong, help: "Print nothing but problems and warnings.")
    var quiet = false

    @Option(
        help: ArgumentHelp("Verify the database of this data folder instead.", valueName: "folder"),
        completion: .directory)
    var data: String?

    @Option(help: ArgumentHelp("Look for what workers of this function keep between calls.", valueName: "function"))
    var leaks: String?

    @Option(help: ArgumentHelp("The event to run, in JSON; - is standard input.", valueName: "file"))
    var event: String?

    @Option(help: ArgumentHelp("Another that reused workers run first; may be repeated.", valueName: "file"))
    var before: [String] = []

    @Flag(help: "Print what --leaks or --data finds as JSON.")
    var json = false

    func validate() throws {
        if leaks != nil, event == nil { throw ValidationError("--leaks needs --event, the event to run") }
        if leaks != nil, data != nil { throw ValidationError("--leaks and --data are two checks; ask for one") }
        guard leaks == nil else { return }
        if event != nil || !before.isEmpty { throw ValidationError("--event and --before belong to --leaks") }
        if json, data == nil { throw ValidationError("--json belongs to --leaks and --data") }
    }

    static func summary(of result: LoadResult) -> String {
        let (functions, warnings) = (result.manifests.count, result.warnings.count)
        let count = "\(functions) \(functions == 1 ? "function" : "functions"), no problem"
        return warnings == 0 ? count : "\(count), \(warnings) \(warnings == 1 ? "warning" : "warnings")"
    }

    func run() async throws {
        try await reporting {
            if let data { return try checkData(data) }
            let result = ManifestLoader.load(manifests)
            for problem in result.problems { Terminal.error(problem.description) }
            guard result.problems.isEmpty else { throw Failure(.failed, "") }
            for warning in result.warnings { Terminal.error(warning.description) }
            if let leaks { return try await check(leaks, among: result.manifests) }
            if !quiet { Terminal.line(Self.summary(of: result)) }
        }
    }

    private func check(_ name: String, among manifests: [Manifest]) async throws {
        guard let manifest = manifests.first(where: { $0.name == name }) else {
            let near = Suggestion.phrase(for: name, among: manifests.map(\.name))
            throw Failure(.noInput, "no manifest declares the function '\(name)'\(near)")
        }
        let check = LeakCheck(
            manifest, among: manifests, event: try request(event ?? "-"), after: try before.map(request))
        let findings: LeakFindings
        do {
            findings = LeakFindings(manifest, try await check.run())
        } catch let problem as Problem {
            throw Failure(.data, "the event cannot be run: \(problem.detail ?? problem.title)")
        }
        if json {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys]
            Terminal.bytes(Array(try encoder.encode(findings)) + [UInt8(ascii: "\n")])
        } else if !quiet || !findings.isClean {
            for line in LeakPage(findings).lines { Terminal.line(line) }
        }
        if !findings.isClean { throw Failure(.failed, "") }
    }

    private func request(_ path: String) throws -> InvocationRequest {
        let bytes = try Payload.bytes(path == "-" ? path : "@" + path)
        do throws(Problem) {
            return try InvocationRequest(json: bytes)
        } catch {
            throw Failure(.data, "\(path): \(error.detail ?? error.title)")
        }
    }
}
