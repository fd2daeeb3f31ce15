import Admin
import ArgumentParser
import Foundation
import Telemetry

struct StateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "state", abstract: "Reads and writes the state that functions keep.",
        discussion: """
            State is in namespaces: a function's own has its name. Writes are committed at once; an invocation that has \
            read the key runs again.

            Examples:

              apus state namespaces
              apus state list guestbook --prefix entry/
              apus state get guestbook total
              apus state put guestbook motd 'Be kind.'
              apus state delete guestbook motd
            """,
        subcommands: [Get.self, Put.self, Delete.self, List.self, Namespaces.self])

    struct Key: ParsableArguments {
        @Argument(help: "The namespace.", transform: Name.read) var namespace: String
        @Argument(help: "The key.", transform: Name.read) var key: String

        var target: Target { Target("v1", "state", namespace, key) }
    }

    struct Get: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Prints a value as it is.")
        @OptionGroup var key: Key
        @OptionGroup var host: AdminOptions

        func run() async throws {
            try await reporting { Terminal.bytes(try await host.client().send(.get, key.target)) }
        }
    }

    struct Put: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Sets a value.")
        @OptionGroup var key: Key
        @Argument(help: "The value; @FILE reads a file, - standard input.") var value: String
        @OptionGroup var host: AdminOptions

        func run() async throws {
            try await reporting {
                _ = try await host.client().send(
                    .put, key.target, body: Payload.bytes(value), type: "application/octet-stream")
            }
        }
    }

    struct Delete: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Deletes a key.")
        @OptionGroup var key: Key
        @OptionGroup var host: AdminOptions

        func run() async throws {
            try await reporting { _ = try await host.client().send(.delete, key.target) }
        }
    }

    struct Namespaces: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Lists the namespaces that hold any key.")
        @OptionGroup var output: OutputOptions
        @OptionGroup var host: AdminOptions

        func run() async throws {
            try await reporting {
                let client = try host.client()
                let answer = try await client.send(.get, Target("v1", "state"))
                guard !output.json else { return Terminal.bytes(answer) }
                for name in try client.decode(NamespaceListDocument.self, answer).namespaces {
                    Terminal.line(name.printable())
                }
            }
        }
    }
}
