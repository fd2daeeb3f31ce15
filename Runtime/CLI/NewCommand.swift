import ArgumentParser
import Foundation
import Manifests

struct NewCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "new", abstract: "Writes a function and its manifest, which work at once.",
        discussion: """
            In a checkout of Apus, a Swift function becomes a folder of Functions/, a line of Package.swift and a file of \
            manifests/. Elsewhere it becomes a package of its own, which finds Apus at --apus. A shell or Python function \
            needs no build: a shell script reads standard input and prints its answer, a Python script has the SDK in \
            apus.py, with state, too. Nothing is ever overwritten.

            Examples:

              apus new orders --trigger http
              apus new nightly --trigger timer --language shell
              apus new counter --language python
              apus new greeter --language shell --contract cgi
              apus new importer --trigger file --directory ~/work
              apus new indexer --trigger state
            """)

    @Argument(help: "The function's name: lowercase letters, digits and dashes.")
    var name: String

    @Option(help: "What calls it: http, timer, file, topic or state.")
    var trigger: FunctionTemplate.Trigger = .http

    @Option(help: "What it is written in: swift, shell or python.")
    var language: FunctionTemplate.Language = .swift

    @Option(help: "How the host speaks with it. Of shell: stdio or cgi; of python: apus or http. Default: the first.")
    var contract: Handler.Contract?

    @Option(help: "Where to write.", completion: .directory)
    var directory = "."

    @Option(help: "The checkout of Apus that a package of its own depends on; default: that of this program.")
    var apus: String?

    func validate() throws {
        guard Manifest.isName(name) else {
            throw ValidationError(
                "'\(name)' is not a name: it begins with a letter and has lowercase letters, digits and dashes, "
                    + "at most 63")
        }
        if let contract, !language.contracts.contains(contract) {
            let known = language.contracts.map(\.rawValue).joined(separator: " or ")
            throw ValidationError(
                "there is no template for contract \(contract.rawValue) in \(language.rawValue), but for \(known)")
        }
    }

    func run() async throws {
        try await reporting {
            let place = try place()
            let written = try NewFunction(
                template: FunctionTemplate(name: name, trigger: trigger, language: language, contract: contract),
                place: place
            ).write()
            for path in written.files { Terminal.line("wrote \(path)") }
            Terminal.line("")
            Terminal.line("Now run:")
            for command in written.next { Terminal.line("  \(command)") }
        }
    }

    private func place() throws -> NewFunction.Place {
        let root = URL(filePath: directory).standardizedFileURL.path
        guard language == .swift else { return .scripts(root) }
        if NewFunction.isCheckout(root) { return .checkout(root) }
        guard let apus = apus.map({ URL(filePath: $0).standardizedFileURL.path }) ?? Self.ownCheckout(),
            NewFunction.isCheckout(apus)
        else {
            throw Failure(
                .configuration, "a Swift package needs the Apus checkout: name it with --apus, or use --language python"
            )
        }
        return .package(root + "/" + name, apus: apus)
    }

    /// The nearest folder above this program that is a checkout of Apus.
    private static func ownCheckout() -> String? {
        guard let program = Bundle.main.executableURL?.resolvingSymlinksInPath() else { return nil }
        var folder = program.deletingLastPathComponent()
        while folder.path != "/" {
            if NewFunction.isCheckout(folder.path) { return folder.path }
            folder.deleteLastPathComponent()
        }
        return nil
    }
}

extension FunctionTemplate.Trigger: ExpressibleByArgument {}
extension FunctionTemplate.Language: ExpressibleByArgument {}
extension Handler.Contract: ExpressibleByArgument {}
