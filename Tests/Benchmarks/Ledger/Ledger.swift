import Apus

/// Numbers in the state, a key each: the benchmarks of state ask for them. Its route is `/NAME/{operation}/{key?}`.
@main
struct Ledger: HTTPFunction {
    func respond(to request: HTTPRequest, in context: Context) async throws -> HTTPResponse {
        let (state, key) = (context.state, request.parameters["key"] ?? "total")
        switch request.parameters["operation"] {
        case "add":
            let sum = try await number(key, in: state) + 1
            try await state.set(key, "\(sum)")
            return .text("\(sum)\n")
        case "increment": return .text("\(try await state.increment(key))\n")
        default: return .text("\(try await number(key, in: state))\n")
        }
    }

    /// Counts as 0 where there is none.
    private func number(_ key: String, in state: State) async throws -> Int {
        try await state.string(key).flatMap { Int($0) } ?? 0
    }
}
