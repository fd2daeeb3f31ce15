import Engine
import Events
import Hummingbird
import Manifests
import NIOCore
import Storage
import Workers

extension AdminRoutes {
    /// Bytes of an invocation's JSON body, and of the response that is shown.
    static let mostBytes = 32 << 20

    func addFunctionRoutes(to router: Router<Context>) {
        router.get("/v1/functions") { _, _ in try await functionList() }
        router.get("/v1/functions/:name") { _, context in try await functionDetail(function(context)) }
        router.post("/v1/functions/:name/invocations") { request, context in
            try await invoke(function(context), request)
        }
    }

    private func function(_ context: Context) throws -> HostedFunction {
        let name = try parameter("name", context)
        guard let function = engine.function(named: name) else {
            throw Problem.notFound("no function is named '\(name)'")
        }
        return function
    }

    private func functionList() async throws -> Response {
        let counts = try await engine.store.queueCounts()
        let functions = engine.functions.sorted { $0.manifest.name < $1.manifest.name }
            .map { FunctionDocument($0, queue: counts[$0.manifest.name] ?? QueueCounts()) }
        return try .json(FunctionListDocument(functions: functions))
    }

    private func functionDetail(_ function: HostedFunction) async throws -> Response {
        let name = function.manifest.name
        let counts = try await engine.store.queueCounts()[name] ?? QueueCounts()
        let recent = try await engine.store.recent(function: name, state: nil, limit: 20)
        return try .json(
            FunctionDetailDocument(
                function: FunctionDocument(function, queue: counts), declared: DeclaredDocument(function.manifest),
                invocations: recent.map(InvocationDocument.init)))
    }

    // MARK: Invoking

    private func invoke(_ function: HostedFunction, _ request: Request) async throws -> Response {
        var request = request
        let buffer = try await request.collectBody(upTo: Self.mostBytes)
        let wish = try InvocationRequest(json: Array(buffer.readableBytesView))
        let id = InvocationID()
        let plan = try wish.plan(for: function.manifest, id: id, now: .now())
        // A caller that goes away takes its invocation with it.
        return try await request.body.consumeWithCancellationOnInboundClose { _ in
            try await run(plan, function: function.manifest.name, id: id)
        }
    }

    private func run(_ plan: InvocationPlan, function: String, id: InvocationID) async throws -> Response {
        let start = ContinuousClock.now
        var result = InvocationResultDocument(invocation: id.description, outcome: Outcome.succeeded.rawValue)
        switch plan {
        case .enqueue(let new):
            try await enqueue(new, function: function, id: id)
            return try .json(
                InvocationResultDocument(invocation: id.description, outcome: "queued"), status: .accepted)
        case .event(let kind, let event):
            _ = try await handle(event, kind: kind, function: function, id: id)
        case .request(let head, let body):
            let (answer, bytes) = try await respond(to: head, body: body, function: function, id: id)
            result.response = ResponseDocument(
                status: answer.status, headers: answer.headers.map { .init(name: $0.name, value: $0.value) },
                body: BytesDocument(bytes))
        }
        result.milliseconds = Double((ContinuousClock.now - start).nanoseconds) / 1_000_000
        return try .json(result)
    }

    func handle(_ event: Event, kind: TriggerKind, function: String, id: InvocationID) async throws -> Answer {
        try await withTaskExecutorPreference(services.lane) {
            try await engine.handle(event, kind: kind, function: function, id: id, on: services.lane)
        }
    }

    func respond(
        to head: RequestHead, body: [UInt8], function: String, id: InvocationID
    ) async throws -> (ResponseHead, [UInt8]) {
        try await withTaskExecutorPreference(services.lane) {
            let reply = try await engine.respond(
                to: head, body: .bytes(ByteBuffer(bytes: body)), function: function, id: id, on: services.lane)
            let time = engine.function(named: function)?.manifest.limits.time ?? .zero
            return (reply.head, try await reply.body.collected(upTo: Self.mostBytes, of: id, limits: time))
        }
    }

    /// Puts the event into the queue: it is on disk when this returns.
    func enqueue(_ new: InvocationPlan.NewEvent, function: String, id: InvocationID) async throws {
        do {
            guard try await engine.store.enqueue([new.invocation(of: function, id: id)]) == 1 else {
                throw Problem(
                    status: 409, code: "known-event", title: "The event is known already",
                    detail:
                        "an event with the source '\(new.event.source)' and the id '\(new.event.id)' was queued before")
            }
        } catch let full as QueueFull {
            throw Problem(full)
        }
        engine.queueChanged()
    }
}

extension Problem {
    init(_ full: QueueFull) {
        self.init(
            status: 503, code: "queue-full", title: "The queue is full", detail: full.description, retryAfter: 5)
    }
}

extension Problem {
    fileprivate static func tooLarge(_ most: Int) -> Problem {
        Problem(
            status: 502, code: "too-large", title: "The response is too large",
            detail: "call the function through the gateway for responses over \(most >> 20) MiB")
    }
}

extension Body {
    fileprivate func collected(
        upTo most: Int, of id: InvocationID, limits time: Duration
    ) async throws(Problem) -> [UInt8] {
        switch self {
        case .bytes(let buffer): return Array(buffer.readableBytesView)
        case .stream(let stream):
            var bytes: [UInt8] = []
            do {
                while let chunk = try await stream.next() {
                    guard bytes.count + chunk.readableBytes <= most else { throw Problem.tooLarge(most) }
                    bytes += chunk.readableBytesView
                }
                return bytes
            } catch {
                // Nobody reads on, and a function whose body breaks off has failed as one that fails before.
                stream.cancel()
                throw error as? Problem ?? Problem(endingStream: error, of: id, limits: time)
            }
        }
    }
}
