import Foundation
import Support
import Testing

@Suite("apus check prints what the golden files say")
struct GoldenTests {
    @Test("for every invalid manifest, and exits with 1")
    func invalid() async throws {
        let folder = repository + "/Tests/ManifestsTests/Fixtures/invalid"
        let goldens = try FileManager.default.contentsOfDirectory(atPath: folder).filter { $0.hasSuffix(".error") }
        #expect(goldens.count >= 60)
        for golden in goldens.sorted() {
            let name = String(golden.dropLast(".error".count))
            // A folder is one load of several manifests.
            let file = FileManager.default.fileExists(atPath: "\(folder)/\(name).yaml") ? name + ".yaml" : name
            let result = try run(ApusHost.build + "/apus", ["check", file], directory: folder)
            let expected = try String(contentsOfFile: "\(folder)/\(golden)", encoding: .utf8)
            // Paths that a message names are absolute, wherever the clone is.
            #expect(result.error.replacingOccurrences(of: folder + "/", with: "") == expected, "\(file)")
            #expect(result.status == 1, "\(file)")
        }
    }
}
