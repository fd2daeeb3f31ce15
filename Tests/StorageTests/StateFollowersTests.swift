import Events
import Storage
import Testing

@Suite("Who follows a key")
struct StateFollowersTests {
    private func followers(_ prefixes: (String, String)...) -> StateFollowers {
        StateFollowers(
            prefixes.map { prefix, function in
                (
                    namespace: "n", prefix: StateKey(prefix),
                    follower: .init(function: function, trigger: "\(function)/0")
                )
            })
    }

    private func functions(_ followers: StateFollowers, _ key: String) -> Set<String> {
        Set((followers["n"]?.followers(of: StateKey(key)) ?? []).map(\.function))
    }

    @Test("all with a prefix that begins it")
    func prefixes() {
        let all = followers(
            ("", "everything"), ("a", "a"), ("a/b", "ab"), ("a/b/c", "abc"), ("a/bb", "abb"), ("b", "b"), ("z", "z"))
        #expect(functions(all, "a/b/c") == ["everything", "a", "ab", "abc"])
        #expect(functions(all, "a/b/d") == ["everything", "a", "ab"])
        #expect(functions(all, "a/bz") == ["everything", "a", "ab"])
        #expect(functions(all, "a") == ["everything", "a"])
        #expect(functions(all, "A") == ["everything"])
        #expect(functions(all, "zz") == ["everything", "z"])
        #expect(functions(followers(("b", "b"), ("d", "d")), "a").isEmpty)
        #expect(functions(followers(("b", "b"), ("d", "d")), "c").isEmpty)
        #expect(functions(followers(("b", "b"), ("d", "d")), "e").isEmpty)
    }

    @Test("nobody of another namespace")
    func namespaces() {
        #expect(followers(("", "f"))["m"] == nil)
        #expect(StateFollowers()["n"] == nil)
    }

    @Test("each function once, by its longest prefix, and of equal ones by the first")
    func once() {
        let all = StateFollowers([
            (namespace: "n", prefix: "", follower: .init(function: "f", trigger: "f/state/0")),
            (namespace: "n", prefix: "a", follower: .init(function: "f", trigger: "f/state/1")),
            (namespace: "n", prefix: "a", follower: .init(function: "f", trigger: "f/state/2")),
        ])
        #expect(all["n"]?.followers(of: "a1").map(\.trigger) == ["f/state/1"])
        #expect(all["n"]?.followers(of: "b").map(\.trigger) == ["f/state/0"])
    }

    @Test("as a look at every prefix would find, whatever the prefixes and the key")
    func random() {
        var generator = SystemRandomNumberGenerator()
        func text(_ most: Int) -> String {
            String(
                (0..<Int.random(in: 0...most, using: &generator)).map { _ in
                    "ab\u{E9}".randomElement(using: &generator) ?? "a"
                })
        }
        for _ in 0..<300 {
            let prefixes = (0..<Int.random(in: 0...12, using: &generator)).map { (text(5), "f\($0)") }
            let all = StateFollowers(
                prefixes.map { (namespace: "n", prefix: StateKey($0.0), follower: .init(function: $0.1, trigger: "t")) }
            )
            for _ in 0..<20 {
                let key = text(8)
                let expected = prefixes.filter { StateKey(key).hasPrefix(StateKey($0.0)) }.map(\.1)
                #expect(functions(all, key) == Set(expected), "\(key) in \(prefixes)")
            }
        }
    }

    @Test("found as fast among 20,000 prefixes as among 20")
    func speed() {
        func time(_ count: Int) -> Duration {
            let all = StateFollowers(
                (0..<count).map { number in
                    (
                        namespace: "n", prefix: StateKey("prefix/\(number)/"),
                        follower: .init(function: "f\(number)", trigger: "t")
                    )
                })
            let namespace = all["n"]
            return (0..<5).map { _ in
                ContinuousClock().measure {
                    for number in 0..<2000 {
                        _ = namespace?.followers(of: StateKey("prefix/\(number % count)/x"))
                    }
                }
            }.min() ?? .zero
        }
        // A thousand times as many take twice the steps of a binary search or so; a look at each would take a thousand times.
        #expect(time(20_000) < time(20) * 20)
    }
}
