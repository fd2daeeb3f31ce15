package import Wire

/// The triggers that a function serves, and what it makes of a call.
package struct Handlers: Sendable {
    private static let largestHeader = 64 << 10

    private let http: (any HTTPFunction)?
    private let timer: (any TimerFunction)?
    private let file: (any FileFunction)?
    private let message: (any MessageFunction)?
    private let state: (any StateFunction)?

    package init(_ function: any Function) {
        http = function as? any HTTPFunction
        timer = function as? any TimerFunction
        file = function as? any FileFunction
        message = function as? any MessageFunction
        state = function as? any StateFunction
    }

    /// Bit n stands for `CallHead.Kind` n.
    package var triggers: UInt16 {
        func bit(_ kind: CallHead.Kind, _ served: Bool) -> UInt16 { served ? 1 << UInt16(kind.rawValue) : 0 }
        return bit(.http, http != nil) | bit(.timer, timer != nil) | bit(.file, file != nil)
            | bit(.topic, message != nil) | bit(.state, state != nil)
    }

    // What is `nonsending` runs where its caller does; the runtime looks for the task's executor before and after calls
    // of all else.

    /// Runs the handler for one call. Never throws: an error is an answer, too.
    package nonisolated(nonsending) func answer(
        _ head: CallHead, function: String, link: any CallLink
    ) async -> HandlerAnswer {
        let context = Context(function: function, head: head, link: link)
        do {
            switch head.kind {
            case .http: return .response(try await respond(to: head, in: context, link))
            case .timer: try await run(TimerEvent(attributes: head.attributes), in: context)
            case .file: try await handle(try FileEvent(attributes: head.attributes), in: context)
            case .topic: try await receive(head, in: context, link)
            case .state: try await follow(head, in: context, link)
            }
            return .acknowledgement
        } catch {
            return .failure(permanent: error is any PermanentError, message: describe(error))
        }
    }

    private nonisolated(nonsending) func respond(
        to head: CallHead, in context: Context, _ link: any CallLink
    ) async throws -> HTTPResponse {
        guard let http, let request = head.request else { throw notServed("HTTPFunction") }
        let response: HTTPResponse
        do {
            response = try await http.respond(to: HTTPRequest(request, body: RequestBody(link)), in: context)
        } catch let error as HTTPError {
            // It is an answer, but of a handler that has failed: what it wrote must not be applied.
            try await link.submit(0, .abandon)
            response = .text(error.message, status: error.status)
        }
        guard (200...599).contains(response.status) else {
            throw PermanentFailure("the handler answered with the status \(response.status); it must be 200...599")
        }
        let size = response.headers.fields.reduce(0) { $0 + $1.name.utf8.count + $1.value.utf8.count }
        guard size <= Self.largestHeader else {
            throw PermanentFailure("the handler answered with \(size) bytes of header; the most is 64 KiB")
        }
        return response
    }

    private nonisolated(nonsending) func run(_ event: TimerEvent, in context: Context) async throws {
        guard let timer else { throw notServed("TimerFunction") }
        try await timer.run(event, in: context)
    }

    private nonisolated(nonsending) func handle(_ event: FileEvent, in context: Context) async throws {
        guard let file else { throw notServed("FileFunction") }
        try await file.handle(event, in: context)
    }

    private nonisolated(nonsending) func receive(
        _ head: CallHead, in context: Context, _ link: any CallLink
    ) async throws {
        guard let message else { throw notServed("MessageFunction") }
        let event = MessageEvent(attributes: head.attributes, data: try await data(link))
        try await message.receive(event, in: context)
    }

    private nonisolated(nonsending) func follow(
        _ head: CallHead, in context: Context, _ link: any CallLink
    ) async throws {
        guard let state else { throw notServed("StateFunction") }
        let event = try StateEvent(attributes: head.attributes, data: try await data(link))
        try await state.follow(event, in: context)
    }

    /// All of an event's data.
    private nonisolated(nonsending) func data(_ link: any CallLink) async throws -> [UInt8] {
        var data: [UInt8] = []
        while let chunk = try await link.nextChunk() { data += chunk }
        return data
    }

    private func notServed(_ name: String) -> PermanentFailure {
        PermanentFailure("this function does not adopt \(name)")
    }
}

/// What became of a call.
package enum HandlerAnswer: Sendable {
    case response(HTTPResponse)
    case acknowledgement
    case failure(permanent: Bool, message: String)
}

/// The error in words; its type's name comes along where the words alone would not say enough.
func describe(_ error: any Error) -> String {
    let text = String(describing: error)
    return error is any CustomStringConvertible ? text : "\(type(of: error)): \(text)"
}
