import Events
import Manifests

/// What a request to the worker API asks for, decided from its first line alone.
struct APIRequest: Equatable {
    enum Action: Equatable {
        case get(key: String)
        /// The value is the body.
        case set(key: String)
        case delete(key: String)
        case increment(key: String, by: Int64)
        case list(prefix: String, after: String?, limit: Int)
        /// The data is the body; who it is from, and what it is about, stands in the header.
        case send(target: String, after: Duration)
        case describe
    }

    static let standardLimit = 100
    static let mostListed = 10_000

    var action: Action
    /// Apart from the invocation, and committed on the spot.
    var immediately: Bool

    /// - Parameters:
    ///   - path: percent-encoded, without the query.
    ///   - query: what follows `?`, percent-encoded.
    init(method: String, path: String, query: String) throws(Problem) {
        var query = try Query(query)
        action = try Self.action(method, Substring(path), &query)
        immediately = try query.flag("immediately")
        try query.checkAllTaken()
    }

    private static func action(
        _ method: String, _ path: Substring, _ query: inout Query
    ) throws(Problem) -> Action {
        if path == "/openapi.json" { return try only("GET", method, .describe) }
        if path == "/state" { return try only("GET", method, try list(&query)) }
        if let key = try text(in: path, after: "/state/") {
            switch method {
            case "GET": return .get(key: key)
            case "PUT": return .set(key: key)
            case "DELETE": return .delete(key: key)
            default: throw .wrongMethod(method, allowed: "GET, PUT, DELETE")
            }
        }
        if let key = try text(in: path, after: "/increment/") {
            let amount = try query.number("by") ?? 1
            return try only("POST", method, .increment(key: key, by: amount))
        }
        if let target = try text(in: path, after: "/send/") {
            let delay = try query.duration("after") ?? .zero
            return try only("POST", method, .send(target: target, after: delay))
        }
        throw Problem(
            status: 404, code: "not-found", title: "There is no such thing",
            detail: "there is nothing at \(path); /openapi.json lists what there is")
    }

    private static func list(_ query: inout Query) throws(Problem) -> Action {
        let limit = try query.number("limit") ?? Int64(standardLimit)
        guard limit > 0 else { throw .badRequest("'limit' is \(limit); the least is 1") }
        return .list(
            prefix: query.take("prefix") ?? "", after: query.take("after"),
            limit: Int(min(limit, Int64(mostListed))))
    }

    /// What follows `start`, percent-decoded; slashes belong to it.
    private static func text(in path: Substring, after start: String) throws(Problem) -> String? {
        guard path.hasPrefix(start) else { return nil }
        guard let text = RequestPath.decode(path.dropFirst(start.count)) else {
            throw .badRequest("what follows \(start) is not percent-encoded UTF-8")
        }
        return text
    }

    private static func only(_ allowed: String, _ method: String, _ action: Action) throws(Problem) -> Action {
        guard method == allowed else { throw .wrongMethod(method, allowed: allowed) }
        return action
    }
}

/// The parameters of a query, each taken once; what is left over is a mistake, which must not pass for nothing.
private struct Query {
    private var values: [String: String] = [:]

    init(_ text: String) throws(Problem) {
        for pair in text.split(separator: "&") {
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let value = parts.count > 1 ? parts[1].map { $0 == "+" ? " " : String($0) }.joined() : ""
            guard let name = RequestPath.decode(parts[0]), let decoded = RequestPath.decode(Substring(value)) else {
                throw .badRequest("the query '\(text)' is not percent-encoded UTF-8")
            }
            values[name] = decoded
        }
    }

    mutating func take(_ name: String) -> String? { values.removeValue(forKey: name) }

    mutating func number(_ name: String) throws(Problem) -> Int64? {
        guard let text = take(name) else { return nil }
        guard let number = Int64(text) else { throw .badRequest("'\(name)' is not a whole number: '\(text)'") }
        return number
    }

    mutating func duration(_ name: String) throws(Problem) -> Duration? {
        guard let text = take(name) else { return nil }
        guard let duration = Quantity.duration(text) else {
            throw .badRequest("'\(name)' is not a duration such as 10s or 1h30m: '\(text)'")
        }
        return duration
    }

    /// `?name` and `?name=true` say yes.
    mutating func flag(_ name: String) throws(Problem) -> Bool {
        switch take(name) {
        case nil, "false": return false
        case "", "true": return true
        case let other?: throw .badRequest("'\(name)' is '\(other)'; write true or false")
        }
    }

    func checkAllTaken() throws(Problem) {
        guard let name = values.keys.min() else { return }
        throw .badRequest("unknown query parameter '\(name)'; /openapi.json lists what there is")
    }
}

extension Problem {
    static func badRequest(_ detail: String) -> Problem {
        Problem(status: 400, code: "bad-request", title: "The request cannot be understood", detail: detail)
    }

    fileprivate static func wrongMethod(_ method: String, allowed: String) -> Problem {
        Problem(
            status: 405, code: "method-not-allowed", title: "The method is not allowed here",
            detail: "\(method) is not one of: \(allowed)", headers: [HeaderField("Allow", allowed)])
    }
}
