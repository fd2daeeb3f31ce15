/// Why one transaction must come before another in every serial order (Adya, "Weak Consistency", §4.2).
package enum Dependency: Sendable, Hashable, CustomStringConvertible {
    /// The second overwrote what the first had written.
    case overwrites(String)
    /// The second read what the first had written.
    case reads(String)
    /// The first read what the second overwrote.
    case precedesWrite(String)
    /// The first was acknowledged before the second began.
    case realTime

    package var description: String {
        switch self {
        case .overwrites(let key): "ww(\(key))"
        case .reads(let key): "wr(\(key))"
        case .precedesWrite(let key): "rw(\(key))"
        case .realTime: "rt"
        }
    }
}

/// A directed graph whose nodes are numbered from 0.
package struct DependencyGraph: Sendable {
    package struct Edge: Sendable {
        package var target: Int
        package var reason: Dependency
    }

    package private(set) var edges: [[Edge]]

    package init(nodes: Int) { edges = Array(repeating: [], count: nodes) }

    package mutating func add(_ source: Int, _ target: Int, _ reason: Dependency) {
        if source != target { edges[source].append(Edge(target: target, reason: reason)) }
    }

    /// A shortest cycle of those through some node that lies on one; empty when there is none.
    package func cycle() -> [(node: Int, edge: Edge)] {
        let isOpen = nodesOnOrBehindCycles()
        var best: [(node: Int, edge: Edge)] = []
        // A few starts are enough for a report that a person can follow.
        for start in isOpen.indices where isOpen[start] {
            let found = shortestCycle(through: start, within: isOpen)
            if !found.isEmpty, best.isEmpty || found.count < best.count { best = found }
            if best.count == 2 { break }
        }
        return best
    }

    /// What is left when nodes without open predecessors are taken away, again and again (Kahn), and those without open
    /// successors likewise.
    private func nodesOnOrBehindCycles() -> [Bool] {
        var sources: [[Int]] = Array(repeating: [], count: edges.count)
        for (source, edges) in edges.enumerated() { for edge in edges { sources[edge.target].append(source) } }
        var isOpen = Array(repeating: true, count: edges.count)
        Self.peel(&isOpen, degrees: sources.map(\.count)) { edges[$0].map(\.target) }
        let degrees = edges.map { $0.count { isOpen[$0.target] } }
        Self.peel(&isOpen, degrees: degrees) { sources[$0] }
        return isOpen
    }

    private static func peel(_ isOpen: inout [Bool], degrees: [Int], _ next: (Int) -> [Int]) {
        var degrees = degrees
        var free = degrees.indices.filter { isOpen[$0] && degrees[$0] == 0 }
        while let node = free.popLast() {
            isOpen[node] = false
            for target in next(node) where isOpen[target] {
                degrees[target] -= 1
                if degrees[target] == 0 { free.append(target) }
            }
        }
    }

    /// Breadth first, so that it is a shortest one.
    private func shortestCycle(through start: Int, within isOpen: [Bool]) -> [(node: Int, edge: Edge)] {
        var cameBy: [Int: (node: Int, edge: Edge)] = [:]
        var frontier = [start]
        while !frontier.isEmpty, cameBy[start] == nil {
            var next: [Int] = []
            for node in frontier {
                for edge in edges[node] where isOpen[edge.target] && cameBy[edge.target] == nil {
                    cameBy[edge.target] = (node, edge)
                    next.append(edge.target)
                }
            }
            frontier = next
        }
        guard var step = cameBy[start] else { return [] }
        var path = [step]
        while step.node != start, let before = cameBy[step.node] {
            path.append(before)
            step = before
        }
        return path.reversed()
    }
}
