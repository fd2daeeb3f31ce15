package import Wire

/// The triggers that a function serves, and what it makes of a call.
package final class Handlers: Sendable {
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
        _ call: ReceivedCall.Content, in context: Context, _ link: any CallLink
    ) async -> HandlerAnswer {
        do {
            guard case .request(let received) = call else {
                try await handle(call, in: context, link)
                return .acknowledgement
            }
            guard let http else { throw notServed("HTTPFunction") }
            do {
                let request = HTTPRequest(received, body: RequestBody(link))
                return .response(try checked(try await http.respond(to: request, in: context)))
            } catch let error as HTTPError {
                // It is an answer, but of a handler that has failed: what it wrote must not be applied.
                try await link.hand(over: .abandon, in: 0)
                return .response(try checked(.text(error.message, status: error.status)))
            }
        } catch {
            return .failure(permanent: error is any PermanentError, message: describe(error))
        }
    }

    private func checked(_ response: HTTPResponse) throws -> HTTPResponse {
        guard (200...599).contains(response.status) else {
            throw PermanentFailure("the handler answered with the status \(response.status); it must be 200...599")
        }
        let size = response.headers.fields.reduce(0) { $0 + $1.name.utf8.count + $1.value.utf8.count }
        guard size <= Self.largestHeader else {
            throw PermanentFailure("the handler answered with \(size) bytes of header; the most is 64 KiB")
        }
        return response
    }

    private nonisolated(nonsending) func handle(
        _ call: ReceivedCall.Content, in context: Context, _ link: any CallLink
    ) async throws {
        guard case .event(let kind, let attributes) = call else { return }
        switch kind {
        case .http: throw UnexpectedReply(description: "the host sent a request without its parts")
        case .timer:
            guard let timer else { throw notServed("TimerFunction") }
            try await timer.run(TimerEvent(attributes: attributes), in: context)
        case .file:
            guard let file else { throw notServed("FileFunction") }
            try await file.handle(try FileEvent(attributes: attributes), in: context)
        case .topic:
            guard let message else { throw notServed("MessageFunction") }
            let event = MessageEvent(attributes: attributes, data: try await data(link))
            try await message.receive(event, in: context)
        case .state:
            guard let state else { throw notServed("StateFunction") }
            try await state.follow(try StateEvent(attributes: attributes, data: try await data(link)), in: context)
        }
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
