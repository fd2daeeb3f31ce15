/// The tree of `RouteTable`: a few arrays, and places in them instead of references, so that a look-up counts no owners.
struct RouteTree: Sendable {
    /// Where there is no node, and no route.
    private static let none = -1
    static let root = 0

    private struct Node: Sendable {
        /// Where it is found below its parent: by a literal, which stands there in `literals`. The root and the nodes of
        /// parameters have none.
        var parent = none
        var literal = 0..<0
        /// The node of `{name}` below this one.
        var parameter = none
        var hasLiterals = false
        /// The first of the routes that end at this node …
        var here = none
        /// … of those whose last segment, after this node, is `{name?}` …
        var optional = none
        /// … and of those whose last segment is `{name*}`.
        var rest = none
    }

    private var nodes = [Node()]
    private var literals: [UInt8] = []
    /// Nodes by the hash of their parent and their literal, or the next free place behind that (open addressing). Its size
    /// is a power of two.
    private var slots = [Int](repeating: none, count: 16)
    private let routes: [Route]
    /// For each route the one that is tried after it.
    private var next: [Int]

    init(_ routes: [Route]) {
        self.routes = routes
        next = [Int](repeating: Self.none, count: routes.count)
        // Each goes before those that share its place.
        for index in routes.indices.reversed() { insert(index) }
    }

    // MARK: Look-up

    /// The route that has what is left of a path, below the node.
    func visit(_ node: Int, _ segments: PathSegments, _ search: inout RouteSearch) -> Route? {
        search.visited += 1
        var rest = segments
        guard let segment = rest.next() else {
            return take(nodes[node].here, &search) ?? take(nodes[node].optional, &search)
                ?? take(nodes[node].rest, &search)
        }
        if nodes[node].hasLiterals, let child = child(of: node, literal: segment),
            let route = visit(child, rest, &search)
        {
            return route
        }
        let parameter = nodes[node].parameter
        if parameter != Self.none, !segment.isEmpty, let route = visit(parameter, rest, &search) { return route }
        if rest.isAtEnd, let route = take(nodes[node].optional, &search) { return route }
        return take(nodes[node].rest, &search)
    }

    /// The first that serves the method, one that lists it before one that serves it implicitly.
    private func take(_ first: Int, _ search: inout RouteSearch) -> Route? {
        var implicit = Self.none
        var index = first
        while index != Self.none {
            if routes[index].methods.contains(search.method) { return routes[index] }
            if implicit == Self.none, routes[index].serves(search.method) { implicit = index }
            index = next[index]
        }
        if implicit != Self.none { return routes[implicit] }
        index = first
        while index != Self.none {
            search.allowed.formUnion(routes[index].allowed)
            index = next[index]
        }
        return nil
    }

    private func child(of parent: Int, literal: UnsafeRawBufferPointer) -> Int? {
        let node = slots[slot(of: parent, literal)]
        return node == Self.none ? nil : node
    }

    /// Where the child is, or would be put.
    private func slot(of parent: Int, _ literal: UnsafeRawBufferPointer) -> Int {
        var slot = Self.hash(parent, literal) & (slots.count - 1)
        while slots[slot] != Self.none, !isChild(slots[slot], of: parent, literal) {
            slot = (slot + 1) & (slots.count - 1)
        }
        return slot
    }

    private func isChild(_ node: Int, of parent: Int, _ literal: UnsafeRawBufferPointer) -> Bool {
        guard nodes[node].parent == parent, nodes[node].literal.count == literal.count else { return false }
        return literals.withUnsafeBytes { literals in
            for offset in 0..<literal.count where literals[nodes[node].literal.lowerBound + offset] != literal[offset] {
                return false
            }
            return true
        }
    }

    /// FNV-1a. Nobody can choose literals that meet but who writes the manifests.
    private static func hash(_ parent: Int, _ literal: UnsafeRawBufferPointer) -> Int {
        var hash = 0xCBF2_9CE4_8422_2325 ^ UInt64(parent)
        for byte in literal { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        return Int(truncatingIfNeeded: hash ^ hash >> 32)
    }

    // MARK: Building

    private mutating func insert(_ route: Int) {
        var node = Self.root
        for segment in routes[route].segments {
            switch segment {
            case .literal(let text): node = childToBe(of: node, Array(text.utf8))
            case .parameter: node = parameterToBe(of: node)
            case .optional: return put(route, into: node, \.optional)
            case .rest: return put(route, into: node, \.rest)
            }
        }
        put(route, into: node, \.here)
    }

    private mutating func put(_ route: Int, into node: Int, _ place: WritableKeyPath<Node, Int>) {
        next[route] = nodes[node][keyPath: place]
        nodes[node][keyPath: place] = route
    }

    private mutating func childToBe(of parent: Int, _ literal: [UInt8]) -> Int {
        if let child = literal.withUnsafeBytes({ child(of: parent, literal: $0) }) { return child }
        var node = Node()
        node.parent = parent
        node.literal = literals.count..<literals.count + literal.count
        literals += literal
        nodes.append(node)
        nodes[parent].hasLiterals = true
        if 2 * nodes.count > slots.count {
            slots = [Int](repeating: Self.none, count: 2 * slots.count)
            for index in nodes.indices { place(index) }
        } else {
            place(nodes.count - 1)
        }
        return nodes.count - 1
    }

    /// Makes a node be found.
    private mutating func place(_ node: Int) {
        guard nodes[node].parent != Self.none else { return }
        let place = literals.withUnsafeBytes { literals in
            slot(of: nodes[node].parent, UnsafeRawBufferPointer(rebasing: literals[nodes[node].literal]))
        }
        slots[place] = node
    }

    private mutating func parameterToBe(of parent: Int) -> Int {
        if nodes[parent].parameter == Self.none {
            nodes.append(Node())
            nodes[parent].parameter = nodes.count - 1
        }
        return nodes[parent].parameter
    }
}
