import Foundation
import Manifests
import Support
import Testing

@Suite struct RobustnessTests {
    /// What an editor saves half-way, or a slip of a finger: nothing of it may bring the host down.
    @Test(
        "a damaged manifest is read or refused, each problem at a place of the file", arguments: ["design", "anchors"])
    func damaged(_ name: String) async throws {
        let text = try String(contentsOfFile: Fixtures.path("valid", name), encoding: .utf8)
        let scalars = Array(text.unicodeScalars)
        try await withTemporaryFolder { folder in
            for index in stride(from: 0, to: scalars.count, by: 7) {
                let damages: [[Unicode.Scalar]] = [
                    Array(scalars[..<index]), Array(scalars[..<index] + scalars[(index + 1)...]),
                    Array(scalars[..<index] + ["{"] + scalars[index...]),
                    Array(scalars[..<index] + ["\n"] + scalars[index...]),
                    Array(scalars[..<index] + ["*"] + scalars[(index + 1)...]),
                ]
                for damage in damages {
                    let damaged = String(String.UnicodeScalarView(damage))
                    let lines = damaged.count { $0 == "\n" } + 1
                    for problem in try load(damaged, in: folder).problems {
                        #expect((1...(lines + 1)).contains(problem.position?.line ?? 0), "\(problem) in \(damaged)")
                    }
                }
            }
        }
    }

    @Test("nesting without end is refused")
    func nesting() async throws {
        try await withTemporaryFolder { folder in
            for text in ["name: " + String(repeating: "[", count: 100_000), String(repeating: "- ", count: 100_000)] {
                let problems = try load(text, in: folder).problems
                #expect(!problems.isEmpty)
            }
        }
    }

    @Test("ten thousand mistakes are ten thousand messages, soon")
    func many() async throws {
        try await withTemporaryFolder { folder in
            let keys = (0..<10_000).map { "key\($0): 1\n" }.joined()
            let problems = try load("name: a\nhandler: { product: A }\n" + keys, in: folder).problems
            #expect(problems.count == 10_000)
        }
    }

    @Test("aliases that double at every level cost no more than what is read of them")
    func doubling() async throws {
        try await withTemporaryFolder { folder in
            var text = "name: a\nname: a\nhandler: { product: A }\nx0: &x0 { a: 1 }\n"
            for level in 1...40 {
                text += "x\(level): &x\(level) { a: *x\(level - 1), b: *x\(level - 1) }\n"
            }
            let problems = try load(text, in: folder).problems
            #expect(problems.count == 42)
        }
    }
}
