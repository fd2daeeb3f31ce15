/// The methods that the gateway's parser knows, without `CONNECT` and `TRACE`, which no function can answer.
private enum Method: String, CaseIterable {
    case GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS
    case PROPFIND, PROPPATCH, MKCOL, COPY, MOVE, LOCK, UNLOCK, REPORT, SEARCH
}

extension HTTPTrigger {
    /// What `methods` may hold.
    package static let knownMethods = Method.allCases.map(\.rawValue)
}

extension ManifestParser {
    func http(_ value: Value) -> Located<Trigger>? {
        guard let mapping = value.mapping(keys: ["path", "methods", "idempotency", "keep"]) else { return nil }
        let methods = mapping["methods"]?.distinctItems("a list of methods") { $0.choice(Method.self) } ?? []
        let idempotency = mapping["idempotency"]?.choice(HTTPTrigger.Idempotency.self)
        let keep = mapping["keep"]?.duration(from: .seconds(1))
        guard let path = mapping.required("path", "give one, such as \"/orders/{id?}\""), let pattern = route(path)
        else {
            return nil
        }
        var trigger = HTTPTrigger(path: pattern, methods: methods.map(\.rawValue))
        trigger.idempotency = idempotency ?? trigger.idempotency
        trigger.keep = keep ?? trigger.keep
        return Located(value: .http(trigger), report: report, position: path.position)
    }

    private func route(_ value: Value) -> RoutePattern? {
        guard let text = value.text("a path such as \"/orders/{id?}\"") else { return nil }
        do {
            return try RoutePattern(text)
        } catch {
            report.add(value.position(atScalar: error.offset), "\(value.path): \(error.message)")
            return nil
        }
    }
}
