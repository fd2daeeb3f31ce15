/// Finds the function for a path and a method.
///
/// A tree with one level a segment; literals are looked up by hash, so that a look-up takes as many steps as the path has
/// segments, however many functions there are. Rules:
///
/// 1. Segments are compared after percent-decoding, case and all; nothing is normalised: `/a//b` has an empty segment and
///    is not `/a/b`, `/a/` is not `/a`.
/// 2. The most specific pattern wins, segment by segment from the left: literal, `{name}`, `{name?}`, `{name*}`. A
///    pattern that does not serve the method leaves the request to the next one.
/// 3. `{name}` needs a segment that is not empty. `{name?}` and `{name*}` also match nothing: `/orders/{id?}` serves
///    `/orders` and `/orders/`.
/// 4. Of two functions with the same pattern and method, the first in the order of the manifests has it (`apus check`
///    reports such a pair).
package struct RouteTable: Sendable {
    package static let empty = RouteTable([])

    private var nodes: [RouteNode] = [RouteNode()]

    package init(_ manifests: [Manifest]) {
        for manifest in manifests {
            for (index, trigger) in manifest.triggers.enumerated() {
                guard case .http(let trigger) = trigger else { continue }
                insert(
                    Route(
                        function: manifest.name, index: index, methods: trigger.methods,
                        bodyLimit: manifest.limits.body,
                        isServer: manifest.handler.contract == .http, idempotency: trigger.idempotency,
                        keep: trigger.keep, pattern: trigger.path))
            }
        }
    }

    /// - Parameters:
    ///   - path: split and decoded.
    ///   - method: uppercase, as in the request line.
    package func find(_ method: String, _ path: RequestPath) -> RouteMatch {
        var search = RouteSearch(method: method)
        visit(0, path.segments[...], &search)
        if let route = search.found { return .route(route, visited: search.visited) }
        return search.allowed.isEmpty ? .none : .methods(search.allowed.sorted())
    }

    /// Whether the search is over: a route was found.
    @discardableResult
    private func visit(_ index: Int, _ rest: ArraySlice<String>, _ search: inout RouteSearch) -> Bool {
        search.visited += 1
        guard let segment = rest.first else {
            return search.take(nodes[index].here) || search.take(nodes[index].optional)
                || search.take(nodes[index].rest)
        }
        let next = rest.dropFirst()
        if let child = nodes[index].literals[segment], visit(child, next, &search) { return true }
        if let child = nodes[index].parameter, !segment.isEmpty, visit(child, next, &search) { return true }
        if next.isEmpty, search.take(nodes[index].optional) { return true }
        return search.take(nodes[index].rest)
    }

    private mutating func insert(_ route: Route) {
        var index = 0
        for segment in route.segments {
            switch segment {
            case .literal(let text): index = child(of: index, literal: text)
            case .parameter: index = parameterChild(of: index)
            case .optional: return nodes[index].optional.append(route)
            case .rest: return nodes[index].rest.append(route)
            }
        }
        nodes[index].here.append(route)
    }

    private mutating func child(of index: Int, literal: String) -> Int {
        if let child = nodes[index].literals[literal] { return child }
        nodes.append(RouteNode())
        nodes[index].literals[literal] = nodes.count - 1
        return nodes.count - 1
    }

    private mutating func parameterChild(of index: Int) -> Int {
        if let child = nodes[index].parameter { return child }
        nodes.append(RouteNode())
        nodes[index].parameter = nodes.count - 1
        return nodes.count - 1
    }
}

package enum RouteMatch: Sendable {
    /// `visited`: the nodes of the tree that were looked at.
    case route(Route, visited: Int)
    /// The path is known, the method is not; these are.
    case methods([String])
    case none
}

private struct RouteNode: Sendable {
    var literals: [String: Int] = [:]
    var parameter: Int?
    /// Routes that end at this node.
    var here: [Route] = []
    /// Routes whose last segment, after this node, is `{name?}`.
    var optional: [Route] = []
    /// Routes whose last segment, after this node, is `{name*}`.
    var rest: [Route] = []
}

private struct RouteSearch {
    let method: String
    var found: Route?
    var allowed: Set<String> = []
    var visited = 0

    init(method: String) { self.method = method }

    /// Takes the first of `routes` that serves the method, one that lists it before one that serves it implicitly.
    mutating func take(_ routes: [Route]) -> Bool {
        guard !routes.isEmpty else { return false }
        if let route = routes.first(where: { $0.methods.contains(method) })
            ?? routes.first(where: { $0.serves(method) })
        {
            found = route
            return true
        }
        for route in routes { allowed.formUnion(route.allowed) }
        return false
    }
}
