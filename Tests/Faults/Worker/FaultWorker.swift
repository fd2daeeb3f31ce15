import Apus

/// The handlers that the fault harness drives, each behind a manifest of its own; what they write is what the audits read.
@main
struct FaultWorker: HTTPFunction, TimerFunction, FileFunction, MessageFunction, StateFunction {
    func respond(to request: HTTPRequest, in context: Context) async throws -> HTTPResponse {
        let operation = request.path.split(separator: "/").last.map(String.init) ?? ""
        let query = request.queryParameters
        switch operation {
        case "open": try await Bank(state: context.state).open(query["accounts"].flatMap { Int($0) } ?? 0)
        case "transfer": try await Bank(state: context.state).transfer(try Order(query))
        case "send": try await Bank(state: context.state).send(try Order(query), in: context)
        case "order": try await Bank(state: context.state).order(try Order(query))
        case "job": try await work(String(decoding: try await request.body.collect(), as: UTF8.self), in: context)
        case "total": return .text(try await Bank(state: context.state).total())
        case "transaction":
            let steps = String(decoding: try await request.body.collect(upTo: 1 << 16), as: UTF8.self)
            return .text(try await transact(query["id"] ?? "", steps, context.state))
        default: throw HTTPError(404, "no operation '\(operation)'\n")
        }
        return .text("done")
    }

    func receive(_ message: MessageEvent, in context: Context) async throws {
        switch context.function {
        case "bank-credit": try await Bank(state: context.state).credit(try Order(message.text))
        default: try await work(message.text, in: context)
        }
    }

    /// The state trigger of the bank: what was ordered is paid.
    func follow(_ change: StateEvent, in context: Context) async throws {
        if let order = change.text { try await Bank(state: context.state).credit(try Order(order)) }
    }

    func run(_ timer: TimerEvent, in context: Context) async throws {
        try await context.state.increment("instant/\(timer.due)")
    }

    func handle(_ file: FileEvent, in context: Context) async throws {
        let note = [file.change.rawValue, file.name, file.previousName ?? "", "\(file.size ?? -1)"]
        try await context.state.increment("note/" + note.joined(separator: "|"))
    }
}

/// A line of a transaction: `r KEY`, `w KEY VALUE`, `l PREFIX` or `p MILLISECONDS`. The answer has a line for each, with
/// what was read; a transaction that writes notes the same of itself.
private func transact(_ id: String, _ text: String, _ state: State) async throws -> String {
    var reads = ""
    var writes = false
    for line in text.split(separator: "\n") {
        let words = line.split(separator: " ").map(String.init)
        switch (words[0], words.count) {
        case ("r", 2): reads += "\(words[1])=\(try await state.string(words[1]) ?? "")"
        case ("w", 3):
            writes = true
            try await state.set(words[1], words[2])
        case ("l", 2):
            for entry in try await state.list(prefix: words[1], limit: 1000) {
                reads += "\(entry.key)=\(String(decoding: entry.value, as: UTF8.self)) "
            }
        case ("p", 2): try await Task.sleep(for: .milliseconds(Int(words[1]) ?? 0))
        default: throw PermanentFailure("no step: \(line)")
        }
        reads += "\n"
    }
    if writes { try await state.set("transaction/\(id)", reads) }
    return reads
}

/// What a job does is in its first word. It notes its effect first, so that an attempt that fails or is cancelled shows
/// whether it left something behind; and it goes on when it is cancelled, so that it is the host that has to drop it.
private func work(_ text: String, in context: Context) async throws {
    let words = text.split(separator: " ").map(String.init)
    try await context.state.increment("effect/\(words.last ?? "")")
    switch words.first {
    case "slow": try? await Task.sleep(for: .milliseconds(50))
    case "once": if context.attempt == 1 { throw HTTPError(500, "told to fail once") }
    case "never": throw PermanentFailure("told to fail")
    default: break
    }
}
