import Engine
import Events
import FoundationEssentials
import Hummingbird
import Storage

/// Asynchronous invocations: what became of them, what they answered, and an end to them.
extension AdminRoutes {
    func addInvocationRoutes(to router: Router<Context>) {
        router.get("/v1/invocations") { request, _ -> Response in try await invocationList(request) }
        router.get("/v1/invocations/:id") { _, context -> Response in
            try .json(InvocationDocument(try await record(invocation(context))))
        }
        router.get("/v1/invocations/:id/result") { _, context -> Response in try await result(invocation(context)) }
        router.delete("/v1/invocations/:id") { _, context -> Response in try await cancel(invocation(context)) }
    }

    func invocation(_ context: Context) throws -> InvocationID { try invocation(named: parameter("id", context)) }

    func invocation(named text: String) throws(Problem) -> InvocationID {
        guard let id = InvocationID(text) else { throw .badRequest("'\(text)' is no id of an invocation") }
        return id
    }

    private func record(_ id: InvocationID) async throws -> QueueRecord {
        guard let record = try await engine.store.record(of: id) else { throw Problem.noInvocation(id) }
        return record
    }

    private func invocationList(_ request: Request) async throws -> Response {
        let state = try request.query("state")
        guard state == nil || state.flatMap(QueueState.init(rawValue:)) != nil else {
            let known = QueueState.allCases.map(\.rawValue).joined(separator: ", ")
            throw Problem.badRequest("'state' is one of \(known)")
        }
        let records = try await engine.store.recent(
            function: request.query("function"), state: state.flatMap(QueueState.init(rawValue:)),
            limit: request.limit(default: 100, most: 1000))
        return try .json(InvocationListDocument(invocations: records.map(InvocationDocument.init)))
    }

    private func result(_ id: InvocationID) async throws -> Response {
        if let result = try await engine.store.result(of: id) { return try .json(StoredResultDocument(result)) }
        let record = try await record(id)
        let isOpen = record.state == .waiting || record.state == .running
        throw Problem(
            status: 404, code: "no-result", title: "There is no result",
            detail: isOpen
                ? "the invocation is \(record.state.rawValue); ask again later"
                : "it answered nothing that is kept, or not any more", invocation: id)
    }

    private func cancel(_ id: InvocationID) async throws -> Response {
        switch try await engine.cancel(id, reason: "cancelled through the admin API") {
        case .waiting: return try .json(CancellationDocument(cancelled: QueueState.waiting.rawValue))
        case .running: return try .json(CancellationDocument(cancelled: QueueState.running.rawValue))
        case .ended(let state):
            // Who repeats a cancel, perhaps since its answer was lost, is told the same as before: it is cancelled.
            guard try await record(id).outcome != .cancelled else {
                return try .json(CancellationDocument(cancelled: state.rawValue))
            }
            throw Problem(
                status: 409, code: "ended", title: "The invocation has ended",
                detail: "it is \(state.rawValue); there is nothing to cancel", invocation: id)
        case .unknown: throw Problem.noInvocation(id)
        }
    }
}

extension Problem {
    static func noInvocation(_ id: InvocationID) -> Problem {
        var problem = notFound("no asynchronous invocation has this id, or it is kept no longer")
        problem.invocation = id
        return problem
    }
}
