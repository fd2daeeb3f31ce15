import Engine
import Events
import HTTPTypes
import Hummingbird
import Manifests
import NIOCore
import Storage

extension AdminRoutes {
    /// As for handlers: a value has at most this many bytes …
    static let mostValueBytes = 1 << 20
    /// … and a key this many.
    static let mostKeyBytes = 1024
    /// A page of a list ends with the entry that passes so many bytes.
    static let mostListedBytes = 4 << 20

    func addStateRoutes(to router: Router<Context>) {
        router.get("/v1/state") { _, _ in
            try await Response.json(NamespaceListDocument(namespaces: engine.store.namespaces()))
        }
        router.get("/v1/storage") { _, _ in try Response.json(StorageDocument(engine.store.statistics)) }
        router.get("/v1/state/:namespace") { request, context in try await list(namespace(context), request) }
        router.get("/v1/state/:namespace/**") { request, context in
            try await value(namespace(context), key(request))
        }
        router.put("/v1/state/:namespace/**") { request, context in
            let body = try await request.body.collect(upTo: Self.mostValueBytes)
            return try await write(.set(Array(body.readableBytesView)), namespace(context), key(request))
        }
        router.delete("/v1/state/:namespace/**") { request, context in
            try await write(.delete, namespace(context), key(request))
        }
    }

    private func namespace(_ context: Context) throws -> String { try parameter("namespace", context) }

    /// What follows the namespace, percent-decoded; slashes belong to it, also the last.
    private func key(_ request: Request) throws -> String {
        let parts = request.uri.path.split(separator: "/", maxSplits: 3, omittingEmptySubsequences: true)
        guard parts.count == 4, let key = parts[3].percentDecoded, (1...Self.mostKeyBytes).contains(key.utf8.count)
        else { throw Problem.badRequest("a key has 1 to \(Self.mostKeyBytes) bytes of percent-encoded UTF-8") }
        return key
    }

    private func list(_ namespace: String, _ request: Request) async throws -> Response {
        let limit = max(1, try request.limit(default: 100, most: 1000))
        let after = try request.query("after")
        let entries = try engine.store.scan(
            prefix: request.query("prefix") ?? "", after: after, limit: limit, bytes: Self.mostListedBytes,
            in: namespace)
        // One that goes while it is read has an end, not a fault.
        if entries.isEmpty, after == nil { try requireNamespace(namespace) }
        let isCut = entries.count == limit || entries.reduce(0, { $0 + $1.size }) > Self.mostListedBytes
        return try .json(
            StateListDocument(
                entries: entries.map { .init(key: $0.key, version: $0.version, value: BytesDocument($0.value)) },
                next: isCut ? entries.last?.key : nil))
    }

    /// A mistyped name must not look like a namespace that is empty. One that holds keys may have lost its function.
    private func requireNamespace(_ name: String) throws {
        if engine.functions.contains(where: { $0.manifest.mentions(namespace: name) }) { return }
        if try engine.store.scan(prefix: "", after: nil, limit: 1, in: name).isEmpty {
            throw Problem.notFound("no function has the namespace '\(name)', and it holds no key")
        }
    }

    private func value(_ namespace: String, _ key: String) async throws -> Response {
        guard let found = try engine.store.value(key, in: namespace) else {
            throw Problem.notFound("the namespace '\(namespace)' has no key '\(key)'")
        }
        return Response(
            status: .ok, headers: [.contentType: "application/octet-stream", .eTag: "\"\(found.version)\""],
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: found.value)))
    }

    /// Commits one write. A `delete` of what is not there is a 404, so that a mistyped key shows.
    private func write(_ write: Effects.Write, _ namespace: String, _ key: String) async throws -> Response {
        if write == .delete, try engine.store.value(key, in: namespace) == nil {
            throw Problem.notFound("the namespace '\(namespace)' has no key '\(key)'")
        }
        var effects = Effects(namespace: namespace)
        effects.writes = [Effects.KeyWrite(StateKey(key), write)]
        do {
            // Nothing was read, so nothing can conflict.
            guard try await engine.store.commit(Commit(effects: effects)) == .committed else {
                throw Problem.unavailable("the write was not committed")
            }
        } catch let error as QueueFull {
            throw Problem(
                status: 503, code: "queue-full", title: "A queue is full",
                detail: "A function that follows the key cannot be told: \(error)", retryAfter: 5)
        }
        if engine.store.enqueues(effects) { engine.queueChanged() }
        return Response(status: .noContent)
    }
}

extension Manifest {
    /// Whether its function keeps state there, or follows what others keep there.
    fileprivate func mentions(namespace name: String) -> Bool {
        namespace == name
            || triggers.contains { trigger in
                if case .state(let state) = trigger { state.namespace == name } else { false }
            }
    }
}
