import Admin
import ArgumentParser
import Events
import Foundation
import Manifests

struct InvokeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "invoke", abstract: "Calls a function with a request or an event.",
        discussion: """
            Without options, calls the function's first trigger: a GET of its route, a timer that is due now. Prints the \
            body of the answer to standard output, or 'succeeded ID' for an event, which has none. Exits with 1 when \
            the function fails or answers with a status of 400 or above.

            Examples:

              apus invoke hello --path /hello/Ada
              apus invoke guestbook --data @entry.json
              apus invoke uptime --trigger timer
              apus invoke inbox --trigger file --subject june.csv
              apus invoke tags --trigger state --subject entry/1 --data '{"message": "Hi #all"}'
              apus invoke tags --trigger state --subject entry/1 --type apus.state.deleted
              apus invoke uptime --trigger timer --async   only queue it
              apus invoke report --async --after 10m --priority 7 --data @june.json
            """)

    @Argument(help: "The function.", transform: Name.read)
    var name: String

    @Option(help: ArgumentHelp("The body, or the event's data; @FILE reads a file, - standard input."))
    var data: String?

    @Option(help: "HTTP method; default: POST with data, GET without, as the route allows.")
    var method: String?

    @Option(help: "Path of the request, with its query.")
    var path: String?

    @Option(help: ArgumentHelp("A header of the request; may be repeated.", valueName: "name=value"))
    var header: [String] = []

    @Option(help: "Which kind of trigger: http, timer, file, topic or state.")
    var trigger: TriggerKind?

    @Option(help: "The event's subject: the path of a file, relative to the watched folder, or a key of the state.")
    var subject: String?

    @Option(help: "The event's type, such as apus.file.modified or apus.state.deleted.")
    var type: String?

    @Flag(help: "Put the request or the event into the queue and do not wait for it; prints 'queued ID'.")
    var async = false

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("With --async: not before so much time has passed.", valueName: "time"),
        transform: TimeSpan.read)
    var after: TimeSpan?

    @Option(help: ArgumentHelp("With --async: not before this time, in RFC 3339.", valueName: "time"))
    var at: String?

    @Option(help: ArgumentHelp("With --async: 0 to 7, as in RFC 9218; 0 runs first, 3 is usual.", valueName: "urgency"))
    var priority: Int?

    @OptionGroup var output: OutputOptions
    @OptionGroup var host: AdminOptions

    func validate() throws {
        if !async, after != nil || at != nil || priority != nil {
            throw ValidationError("--after, --at and --priority need --async")
        }
    }

    func run() async throws {
        try await reporting {
            let client = try host.client()
            let answer = try await client.send(
                .post, Target("v1", "functions", name, "invocations"),
                body: Array(JSONEncoder().encode(invocationRequest())), type: "application/json")
            let result = try client.decode(InvocationResultDocument.self, answer)
            if output.json {
                Terminal.bytes(answer)
            } else {
                show(result)
            }
            if let status = result.response?.status, status >= 400 { throw Failure(.failed, "") }
        }
    }

    func invocationRequest() throws -> InvocationRequest {
        var request = InvocationRequest()
        request.trigger = trigger
        request.method = method
        request.path = path
        if let data {
            let document = BytesDocument(try Payload.bytes(data))
            request.data = document.text
            request.base64 = document.base64
        }
        for field in header {
            guard let end = field.firstIndex(where: { $0 == "=" || $0 == ":" }) else {
                throw Failure(.usage, "'\(field)' is not a header; write NAME=VALUE")
            }
            let value = field[field.index(after: end)...].drop { $0 == " " }
            request.headers = (request.headers ?? [:]).merging([String(field[..<end]): String(value)]) { $1 }
        }
        if subject != nil || type != nil {
            request.event = InvocationRequest.EventFields()
            request.event?.subject = subject
            request.event?.type = type
        }
        if async { request.async = true }
        request.after = after.map { Quantity.text($0.duration) }
        request.at = at
        request.priority = priority
        return request
    }

    private func show(_ result: InvocationResultDocument) {
        if let response = result.response {
            if response.status >= 400 { Terminal.error("status \(response.status)") }
            Terminal.bytes(response.body.bytes ?? [])
        } else {
            Terminal.line("\(result.outcome) \(result.invocation)")
        }
    }
}

extension TriggerKind: ExpressibleByArgument {}

/// For people or for programs.
struct OutputOptions: ParsableArguments {
    @Flag(help: "Print JSON.")
    var json = false
}
