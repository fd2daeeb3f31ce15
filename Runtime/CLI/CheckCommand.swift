import ArgumentParser
import Manifests

struct CheckCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check", abstract: "Looks over manifests and prints every problem.",
        discussion: """
            Reads the manifests as 'serve' does, without starting anything: keys, types, values, and what only the \
            manifests together can show, such as two functions with one route. Prints FILE:LINE:COLUMN: MESSAGE for each \
            problem, to standard error, and exits with 1 when there is any.

            Examples:

              apus check
              apus check manifests/hello.yaml shop/
            """)

    @Argument(help: "Manifest files and folders of them.", completion: .file(extensions: ["yaml", "yml"]))
    var manifests: [String] = ["manifests"]

    @Flag(name: .shortAndLong, help: "Print nothing when all is well.")
    var quiet = false

    private static func summary(of count: Int) -> String {
        "\(count) \(count == 1 ? "function" : "functions"), no problem"
    }

    func run() async throws {
        try await reporting {
            let result = ManifestLoader.load(manifests)
            for problem in result.problems { Terminal.error(problem.description) }
            guard result.problems.isEmpty else { throw Failure(.failed, "") }
            if !quiet { Terminal.line(Self.summary(of: result.manifests.count)) }
        }
    }
}
