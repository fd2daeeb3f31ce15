import Glibc
import Manifests
import Support
import Testing
import Workers

@Suite("The temporary directory of programs that run one after the other")
struct FolderShelfTests {
    private static func run(_ script: String, calls: Int) async throws -> [String] {
        let manifest = Handlers.shell(script) {
            $0.workers.max = 1
            // In the sandbox, a program cannot even take its directory away.
            $0.sandbox.enabled = false
        }
        return try await World.with(manifest) { world in
            var texts: [String] = []
            for _ in 0..<calls { texts.append(try await world.request("/").text()) }
            return texts
        }
    }

    @Test("is kept while nobody touches it, and goes in the end")
    func kept() async throws {
        let folders = Set(try await Self.run("echo $TMPDIR", calls: 5).map(\.trimmed))
        #expect(folders.count == 1)
        let isGone = await eventually { folders.allSatisfy { !exists($0) } }
        #expect(isGone)
    }

    @Test(
        "is found empty and as new, whatever the one before did with it",
        arguments: [
            "touch $TMPDIR/left", "mkdir -p $TMPDIR/a/b", "chmod 700 $TMPDIR; touch $TMPDIR/x; rm $TMPDIR/x",
            "chmod 000 $TMPDIR", "rmdir $TMPDIR", "touch -d '2001-01-01' $TMPDIR", "rmdir $TMPDIR; mkdir $TMPDIR",
            "rmdir $TMPDIR; ln -s / $TMPDIR",
        ])
    func traces(_ deed: String) async throws {
        let look = "ls -A $TMPDIR; stat -c '%a %F' $TMPDIR; [ $(date -r $TMPDIR +%Y) -gt 2020 ] && echo new"
        let seen = try await Self.run("\(look); sleep 0.02; \(deed)", calls: 3)
        #expect(seen == Array(repeating: "700 directory\nnew\n", count: 3))
    }
}
