/// What several manifests must agree on: names, and which requests are whose.
enum ManifestSet {
    static func check(_ declarations: [Declaration]) {
        checkNames(declarations.compactMap(\.name))
        checkRoutes(declarations.flatMap(\.routes))
        checkNamespaces(declarations)
        // Of a file that could not be read nobody knows what it declares.
        if declarations.allSatisfy({ $0.name != nil }) { checkTargets(of: declarations) }
    }

    private static func checkTargets(of declarations: [Declaration]) {
        let known = Set(declarations.compactMap(\.name?.value) + declarations.flatMap(\.topics))
        for target in declarations.flatMap(\.targets) where !known.contains(target.value) {
            let near = Suggestion.phrase(for: target.value, among: known.sorted())
            let advice = near.isEmpty ? "; declare it, or correct the name" : near
            target.report.add(
                target.position,
                "on: '\(target.value.prefix(128))' is neither a function nor a topic of a function's trigger\(advice)")
        }
    }

    /// A namespace that nobody's state is in may be written by hand; one that is nearly another's is a slip.
    private static func checkNamespaces(_ declarations: [Declaration]) {
        let namespaces = Set(declarations.compactMap(\.manifest?.namespace))
        guard declarations.allSatisfy({ $0.manifest != nil }) else { return }
        for followed in declarations.flatMap(\.followed) where !namespaces.contains(followed.value) {
            let near = Suggestion.phrase(for: followed.value, among: namespaces.sorted())
            guard !near.isEmpty else { continue }
            followed.report.add(
                followed.position, "no function keeps its state in the namespace '\(followed.value)'\(near)")
        }
    }

    private static func checkNames(_ names: [Located<String>]) {
        var owners: [String: Located<String>] = [:]
        for name in names {
            guard let owner = owners[name.value] else {
                owners[name.value] = name
                continue
            }
            name.report.add(
                name.position, "name: '\(name.value)' is taken by \(owner.place); give each function its own name")
        }
    }

    /// Of routes with different shapes the most specific wins; of one shape, the methods decide.
    private static func checkRoutes(_ routes: [Located<HTTPTrigger>]) {
        var owners: [String: [Located<HTTPTrigger>]] = [:]
        for route in routes {
            let shape = route.value.path.shape
            for owner in owners[shape] ?? [] {
                let common = owner.value.served.intersection(route.value.served)
                guard !common.isEmpty else { continue }
                route.report.add(route.position, message(for: route.value, takenBy: owner, common))
                break
            }
            owners[shape, default: []].append(route)
        }
        for route in routes { checkReach(of: route, owners) }
    }

    private static func message(
        for route: HTTPTrigger, takenBy owner: Located<HTTPTrigger>, _ common: Set<String>
    ) -> String {
        let isSame = owner.value.path.description == route.path.description
        let what =
            isSame ? "'\(route.path)' is taken" : "'\(route.path)' matches the same requests as '\(owner.value.path)'"
        let isAll = owner.value.methods.isEmpty && route.methods.isEmpty
        let methods = isAll ? "every method" : common.sorted().joined(separator: ", ")
        return "\(what) by \(owner.place) for \(methods); change the path or the methods"
    }

    /// `/a/{x?}` is dead beside both `/a` and `/a/{y}`: each takes its half, as the more specific.
    private static func checkReach(of route: Located<HTTPTrigger>, _ owners: [String: [Located<HTTPTrigger>]]) {
        let segments = route.value.path.segments
        guard case .optional(let name)? = segments.last else { return }
        let halves = [[], [RoutePattern.Segment.parameter(name)]].map { last in
            owners[RoutePattern(segments: segments.dropLast() + last, description: "").shape] ?? []
        }
        let isDead = halves.allSatisfy { owners in
            route.value.served.isSubset(of: owners.reduce(into: Set()) { $0.formUnion($1.value.served) })
        }
        guard isDead, let without = halves[0].first, let with = halves[1].first else { return }
        route.report.add(
            route.position,
            "'\(route.value.path)' is never reached: '\(without.value.path)' (\(without.place)) and "
                + "'\(with.value.path)' (\(with.place)) take all its requests")
    }
}

extension HTTPTrigger {
    /// The methods that reach the function, as the gateway does it: `GET` brings `HEAD` with it, and `OPTIONS` is the
    /// gateway's own unless it is listed.
    fileprivate var served: Set<String> {
        guard !methods.isEmpty else { return Set(Self.knownMethods).subtracting(["OPTIONS"]) }
        return Set(methods).union(methods.contains("GET") ? ["HEAD"] : [])
    }
}
