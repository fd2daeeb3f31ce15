import Events
import Storage
import Support
import Testing

@Suite("Responses that are kept for repeats")
struct IdempotencyTests {
    private static func response(
        _ key: String, body: String = "made", expires: WallTime = .now().advanced(by: .seconds(3600))
    ) -> IdempotentResponse {
        IdempotentResponse(
            function: "f", key: key, fingerprint: [1, 2, 3], invocation: InvocationID(high: 1, low: 2), status: 201,
            headers: [HeaderField("Set-Cookie", "a=\"1\""), HeaderField("set-cookie", "ü=2"), HeaderField("X", "")],
            body: Array(body.utf8), expires: expires)
    }

    private static func commit(_ response: IdempotentResponse, writing value: String) -> Commit {
        Commit(effects: .writing(["k": .set(Array(value.utf8))]), response: response)
    }

    @Test("a response comes back as it was, also after the store was opened again")
    func comesBack() async throws {
        try await withTemporaryFolder { folder in
            let response = Self.response("a")
            try await reopening(folder) { store async throws in
                #expect(try await store.commit(Self.commit(response, writing: "1")) == .committed)
            }
            try await reopening(folder) { store async throws in
                let now = WallTime.now()
                #expect(try await store.idempotentResponse(function: "f", key: "a", now: now) == response)
                #expect(try await store.idempotentResponse(function: "g", key: "a", now: now) == nil)
                #expect(try await store.idempotentResponse(function: "f", key: "b", now: now) == nil)
            }
        }
    }

    @Test("a redirect, and a response without effects, are kept as well")
    func redirect() async throws {
        try await withStore { store, _ async throws in
            var response = Self.response("a", body: "")
            response.redirect = "/there?x=1"
            #expect(try await store.commit(Commit(effects: nil, response: response)) == .committed)
            let kept = try await store.idempotentResponse(function: "f", key: "a", now: .now())
            #expect(kept?.redirect == "/there?x=1" && kept?.body == [])
        }
    }

    @Test("who comes second with a key applies nothing")
    func secondAppliesNothing() async throws {
        try await withStore { store, _ async throws in
            let first = Self.response("a", body: "first")
            #expect(try await store.commit(Self.commit(first, writing: "1")) == .committed)
            #expect(try await store.commit(Self.commit(Self.response("a"), writing: "2")) == .repeated)
            #expect(try await store.text("k") == "1")
            #expect(try await store.idempotentResponse(function: "f", key: "a", now: .now()) == first)
        }
    }

    @Test("a conflict keeps no response")
    func conflict() async throws {
        try await withStore { store, _ async throws in
            try await store.put("read", "1")
            var effects = Effects.writing(["k": .set([1])])
            effects.reads = [.init(key: "read", version: 0)]
            #expect(try await store.commit(Commit(effects: effects, response: Self.response("a"))) == .conflicted)
            #expect(try await store.idempotentResponse(function: "f", key: "a", now: .now()) == nil)
        }
    }

    @Test("effects that cannot be applied keep no response")
    func refused() async throws {
        try await withStore { store, _ async throws in
            try await store.put("word", "no number")
            let effects = Effects.writing(["word": .increment(1)])
            await #expect(throws: StateError.self) {
                try await store.commit(Commit(effects: effects, response: Self.response("a")))
            }
            #expect(try await store.idempotentResponse(function: "f", key: "a", now: .now()) == nil)
        }
    }

    @Test("a key is free again once its response has expired, pruned or not")
    func expires() async throws {
        try await withStore { store, _ async throws in
            let now = WallTime.now()
            let old = Self.response("a", expires: now)
            #expect(try await store.commit(Self.commit(old, writing: "1")) == .committed)
            #expect(try await store.idempotentResponse(function: "f", key: "a", now: now) == nil)
            let new = Self.response("a", body: "new")
            #expect(try await store.commit(Self.commit(new, writing: "2")) == .committed)
            #expect(try await store.idempotentResponse(function: "f", key: "a", now: now) == new)
            #expect(try await store.text("k") == "2")
        }
    }

    @Test("pruning removes what has expired, however much, and nothing else")
    func prune() async throws {
        try await withStore { store, _ async throws in
            let now = WallTime.now()
            for number in 0..<250 {
                let expires = now.advanced(by: .seconds(number < 201 ? -1 : 1))
                _ = try await store.commit(Commit(effects: nil, response: Self.response("\(number)", expires: expires)))
            }
            #expect(try await store.pruneIdempotentResponses(now: now) == 201)
            #expect(try await store.pruneIdempotentResponses(now: now) == 0)
            #expect(try await store.idempotentResponse(function: "f", key: "201", now: now) != nil)
        }
    }
}
