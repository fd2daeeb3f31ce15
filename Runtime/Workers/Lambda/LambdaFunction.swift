import Events
package import Manifests

/// A function as AWS would name it.
package struct LambdaFunction: Sendable {
    /// There are no accounts here; a number that AWS gives to nobody.
    package static let account = "000000000000"
    package static let version = "$LATEST"

    package let name: String
    /// What the manifest's environment says, for functions that look at it.
    package let region: String
    /// What a runtime gets from its start to its first `next`. AWS gives it 10 s and then, with the first call, once more
    /// the time that a call has.
    package let startLimit: Duration
    private let routes: RouteTable

    package init(_ manifest: Manifest) {
        name = manifest.name
        region = manifest.environment["AWS_REGION"] ?? manifest.environment["AWS_DEFAULT_REGION"] ?? "us-east-1"
        startLimit = max(.seconds(10), manifest.limits.time)
        routes = RouteTable([manifest])
    }

    package var arn: String { "arn:aws:lambda:\(region):\(Self.account):function:\(name)" }

    /// The key of the route that serves a request, such as `GET /orders/{id}`, as AWS writes it: `ANY` where every method
    /// is served, `{name+}` for what is left of the path.
    func routeKey(of head: RequestHead) -> String {
        guard let path = RequestPath(head.path[...]), case .route(let route, _) = routes.find(head.method, path) else {
            return "$default"
        }
        let segments = route.segments.map { segment in
            switch segment {
            case .literal(let text): text
            case .parameter(let name), .optional(let name): "{\(name)}"
            case .rest(let name): "{\(name)+}"
            }
        }
        return "\(route.methods.isEmpty ? "ANY" : head.method) /" + segments.joined(separator: "/")
    }

    /// What AWS X-Ray would call the trace of an invocation, not sampled, since nothing collects it.
    static func trace(of id: InvocationID) -> String {
        let digits = id.description.filter { $0 != "-" }
        return "Root=1-\(digits.prefix(8))-\(digits.dropFirst(8));Parent=\(digits.suffix(16));Sampled=0"
    }
}
