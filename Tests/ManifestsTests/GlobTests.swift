import Manifests
import Testing

@Suite struct GlobTests {
    static let matching: [(pattern: String, path: String)] = [
        ("*.csv", "a.csv"), ("**/*.csv", "a.csv"), ("**/*.csv", "x/y/a.csv"), ("x/**", "x/a"), ("x/**", "x/a/b"),
        ("x/**/b", "x/b"), ("x/**/b", "x/1/2/b"), ("**", "a"), ("**", "a/b/c"), ("a?c", "abc"), ("a?c", "aéc"),
        ("[a-c]1", "b1"), ("[!a-c]1", "d1"), ("[^a-c]1", "d1"), ("[]]", "]"), ("[!]]", "x"), ("[a-]", "-"),
        ("{a,b}.txt", "b.txt"), ("{a,b{1,2}}.txt", "b2.txt"), ("{src,docs/**}/*.md", "docs/x/y.md"),
        ("{src,docs/**}/*.md", "src/y.md"), ("{**/,}x", "a/b/x"), ("{**/,}x", "x"), ("a**b", "aXXb"),
        ("a,b", "a,b"), ("[*]", "*"), ("{a", "{a"), ("a}", "a}"), ("[a", "[a"), ("{a,b", "{a,b"), ("**/.*", "x/.env"),
        (".*", ".env"), ("{,a}.env", ".env"), ("*.tar.gz", "a.tar.gz"), ("日本*", "日本語.txt"), ("{,x}y", "y"),
        ("a\\b", "a\\b"), ("{[,],x}", ","), ("***", "a/b"),
    ]
    static let different: [(pattern: String, path: String)] = [
        ("*.csv", "x/a.csv"), ("*.csv", ".csv"), ("*", ".hidden"), ("**/*", ".git/config"), ("**/*", "a/.b"),
        ("**", ".git/config"), ("?", "/"), ("?env", ".env"), ("[.]env", ".env"), ("a?c", "ac"), ("[!a]", "/"),
        ("x/**", "x"), ("x/**/b", "xb"), ("{a,b}.txt", "c.txt"), ("a**b", "a/b"), ("[a-c]", "d"), ("*.csv", "a.csv2"),
        ("", "a"), ("a/*/c", "a/b/b/c"),
    ]

    @Test("a pattern matches", arguments: matching) func matches(pattern: String, path: String) {
        #expect(Glob(pattern).matches(path))
    }

    @Test("a pattern does not match", arguments: different) func doesNotMatch(pattern: String, path: String) {
        #expect(!Glob(pattern).matches(path))
    }

    @Test("wildcards match hidden names where that is asked for") func hidden() {
        #expect(Glob("build/**").matches("build/.cache/x", hidden: true))
        #expect(Glob("*.tmp").matches(".a.tmp", hidden: true))
    }

    @Test("a pattern tells which directories can hold a match") func directories() {
        #expect(Glob("**/*.csv").mayMatch(below: "a/b"))
        #expect(!Glob("**/*.csv").mayMatch(below: "a/.git"))
        #expect(Glob("a/*/c").mayMatch(below: "a"))
        #expect(!Glob("a/*/c").mayMatch(below: "b"))
        #expect(!Glob("*.csv").mayMatch(below: "a"))
        #expect(Glob("build/**").matchesAll(below: "build"))
        #expect(Glob("build/**").matchesAll(below: "build/x/y"))
        #expect(!Glob("build/**").matchesAll(below: "src"))
        #expect(!Glob("build/**/*.o").matchesAll(below: "build"))
    }

    @Test("patterns that invite backtracking take no longer than others") func noBacktracking() {
        let text = String(repeating: "a", count: 2000)
        let elapsed = ContinuousClock().measure {
            #expect(!Glob("*a*a*a*a*a*a*a*a*a*a*a*ab").matches(text))
            #expect(!Glob(String(repeating: "{a,a,aa}", count: 60) + "b").matches(text))
            #expect(!Glob(String(repeating: "**/", count: 40) + "b").matches(text.map { "\($0)/" }.joined()))
        }
        #expect(elapsed < .seconds(10))
    }

    @Test(
        "a bad pattern is told apart",
        arguments: [
            ("", "is empty"), ("/a", "begins with '/'; patterns are relative to the watched directory"),
            ("a/../b", "leaves the watched directory with '..'"), ("{a,b", "has a '{' without '}'"),
            ("a}", "has a '}' without '{'"), ("[a", "has a '[' without ']'"),
            ("[z-a]", "has a range that runs backwards"),
            (String(repeating: "a", count: 1001), "is longer than 1000 characters"),
        ])
    func problems(pattern: String, problem: String) {
        #expect(Glob.problem(in: pattern) == problem)
    }

    @Test(
        "a good pattern has no problem",
        arguments: matching.map(\.pattern).filter { !["{a", "a}", "[a", "{a,b"].contains($0) })
    func noProblem(pattern: String) {
        #expect(Glob.problem(in: pattern) == nil)
    }
}
