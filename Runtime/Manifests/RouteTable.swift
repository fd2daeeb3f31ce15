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
///
/// A class, whose parts nobody else has: what two lanes both count the owners of travels between their processors.
package final class RouteTable: Sendable {
    package static let empty = RouteTable([])

    private let tree: RouteTree

    package init(_ manifests: [Manifest]) {
        var routes: [Route] = []
        for manifest in manifests {
            for (index, trigger) in manifest.triggers.enumerated() {
                guard case .http(let trigger) = trigger else { continue }
                routes.append(
                    Route(
                        function: manifest.name, index: index, methods: trigger.methods,
                        bodyLimit: manifest.limits.body,
                        isServer: manifest.handler.contract == .http, idempotency: trigger.idempotency,
                        keep: trigger.keep, pattern: trigger.path))
            }
        }
        tree = RouteTree(routes)
    }

    /// - Parameters:
    ///   - path: split and decoded.
    ///   - method: uppercase, as in the request line.
    package func find(_ method: String, _ path: RequestPath) -> RouteMatch {
        path.withSegments { segments in
            var search = RouteSearch(method: method)
            if let route = tree.visit(RouteTree.root, segments, &search) {
                return .route(route, visited: search.visited)
            }
            return search.allowed.isEmpty ? .none : .methods(search.allowed.sorted())
        }
    }
}

package enum RouteMatch: Sendable {
    /// `visited`: the nodes of the tree that were looked at.
    case route(Route, visited: Int)
    /// The path is known, the method is not; these are.
    case methods([String])
    case none
}

struct RouteSearch {
    let method: String
    var allowed: Set<String> = []
    var visited = 0

    init(method: String) { self.method = method }
}
