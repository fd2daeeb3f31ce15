/// What several manifests must agree on: names, and which requests are whose.
enum ManifestSet {
    static func check(_ declarations: [Declaration]) {
        checkNames(declarations.compactMap(\.name))
        checkRoutes(declarations.flatMap(\.routes))
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

    /// Routes of different shapes never clash, since the most specific wins; of one shape, the methods decide.
    private static func checkRoutes(_ routes: [Located<HTTPTrigger>]) {
        var owners: [String: [Located<HTTPTrigger>]] = [:]
        for route in routes {
            let shape = route.value.path.shape
            if let owner = owners[shape]?.first(where: { overlap($0.value.methods, route.value.methods) }) {
                route.report.add(route.position, message(for: route.value, takenBy: owner))
            }
            owners[shape, default: []].append(route)
        }
    }

    /// An empty list is every method.
    private static func overlap(_ left: [String], _ right: [String]) -> Bool {
        left.isEmpty || right.isEmpty || !Set(left).isDisjoint(with: right)
    }

    private static func message(for route: HTTPTrigger, takenBy owner: Located<HTTPTrigger>) -> String {
        let common = route.methods.filter { owner.value.methods.contains($0) }
        let methods =
            !common.isEmpty
            ? common.joined(separator: ", ")
            : route.methods.isEmpty && owner.value.methods.isEmpty
                ? "every request" : (route.methods + owner.value.methods).joined(separator: ", ")
        let same = owner.value.path.description == route.path.description
        let what =
            same ? "'\(route.path)' is taken" : "'\(route.path)' matches the same requests as '\(owner.value.path)'"
        return "\(what) by \(owner.place) for \(methods); change the path or the methods"
    }
}
