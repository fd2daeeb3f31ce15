import Engine
import Events
import FoundationEssentials
import Hummingbird
import Storage

/// Dead letters: asynchronous invocations that have failed for good.
extension AdminRoutes {
    func addDeadRoutes(to router: Router<Context>) {
        router.get("/v1/dead") { request, _ -> Response in
            let records = try await engine.store.dead(
                deadFilter(request), limit: request.limit(default: 100, most: 1000))
            return try .json(InvocationListDocument(invocations: records.map(InvocationDocument.init)))
        }
        router.post("/v1/dead/retry") { request, _ -> Response in
            let revival = try await engine.store.reviveDead(someFilter(request))
            engine.queueChanged()
            return try .json(DeadCountDocument(count: revival.count, stopped: revival.full?.description))
        }
        router.delete("/v1/dead") { request, _ -> Response in
            try .json(DeadCountDocument(count: try await engine.store.dropDead(someFilter(request))))
        }
        router.post("/v1/dead/:id/retry") { _, context -> Response in try await retry(invocation(context)) }
        router.delete("/v1/dead/:id") { _, context -> Response in
            let id = try invocation(context)
            guard try await engine.store.dropDead(id) else { throw Problem.notDead(id) }
            return try .json(DeadCountDocument(count: 1))
        }
    }

    private func retry(_ id: InvocationID) async throws -> Response {
        do {
            guard try await engine.store.reviveDead(id) else { throw Problem.notDead(id) }
        } catch let full as QueueFull {
            throw Problem(full)
        }
        engine.queueChanged()
        return try .json(DeadCountDocument(count: 1))
    }

    private func deadFilter(_ request: Request) throws -> DeadFilter {
        var filter = DeadFilter(function: try request.query("function"))
        if let text = try request.query("outcome") {
            guard let outcome = Outcome(rawValue: text) else {
                let known = Outcome.allCases.map(\.rawValue).joined(separator: ", ")
                throw Problem.badRequest("'outcome' is one of \(known)")
            }
            filter.outcome = outcome
        }
        if let text = try request.query("before") {
            guard let time = WallTime(rfc3339: text) else {
                throw Problem.badRequest("'before' is a time of RFC 3339, not '\(text)'")
            }
            filter.before = time
        }
        return filter
    }

    /// A filter that lets through everything has to be meant.
    private func someFilter(_ request: Request) throws -> DeadFilter {
        let filter = try deadFilter(request)
        guard filter != DeadFilter() || request.uri.queryParameters["all"] == "true" else {
            throw Problem.badRequest(
                "say which: 'function', 'outcome' or 'before', or 'all=true' for every dead letter")
        }
        return filter
    }
}

extension Problem {
    fileprivate static func notDead(_ id: InvocationID) -> Problem {
        var problem = notFound("no dead letter has this id")
        problem.invocation = id
        return problem
    }
}
