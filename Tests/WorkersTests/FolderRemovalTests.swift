import Foundation
import Support
import Synchronization
import Testing
import Workers

@Suite("A folder that is removed with all that is in it", .timeLimit(.minutes(2)))
struct FolderRemovalTests {
    @Test("goes whatever its permissions are, and however deep it is")
    func odd() async throws {
        let path = try await ScratchFolder.with(prefix: "apus-test") { folder in
            let odd = "mkdir -p a/b/c d/e; touch a/b/c/f d/e/f; ln -s / d/root; chmod 000 a/b d/e; chmod 500 d"
            #expect(Self.shell(odd, folder))
            // Deeper than a path, or the descriptors of a process, can say.
            let deep = "perl -e 'for (1..3000) { mkdir \"a-long-name\"; chdir \"a-long-name\" or exit 1 }'"
            #expect(Self.shell(deep, folder))
            return folder
        }
        #expect(!exists(path))
        #expect(exists("/etc"))
    }

    @Test("does not take with it what somebody links in while it goes")
    func swapped() async throws {
        try await withTemporaryFolder { target in
            let kept = (0..<20).map { "\(target)/\($0)" }
            for path in kept { try "kept".write(toFile: path, atomically: false, encoding: .utf8) }
            let current = Atomic(0)
            for round in 1...10 {
                current.store(round, ordering: .relaxed)
                try await ScratchFolder.with(prefix: "apus-test") { folder in
                    // Many of them, so that it takes its time.
                    for number in 0..<20 {
                        let inner = "\(folder)/\(number)/inner"
                        try FileManager.default.createDirectory(atPath: inner, withIntermediateDirectories: true)
                        for name in 0..<20 { close(open("\(inner)/\(name)", O_CREAT | O_WRONLY, 0o600)) }
                    }
                    Thread.detachNewThread {
                        while current.load(ordering: .relaxed) == round {
                            for number in 0..<20 {
                                let inner = "\(folder)/\(number)/inner"
                                rename(inner, inner + "-aside")
                                symlink(target, inner)
                                unlink(inner)
                                rename(inner + "-aside", inner)
                            }
                        }
                    }
                }
                current.store(0, ordering: .relaxed)
                #expect(kept.allSatisfy(exists))
            }
        }
    }

    @Test("is one of this user's when its host is gone, and no other's", .enabled(if: geteuid() == 0))
    func orphans() throws {
        let gone = Process()
        gone.executableURL = URL(fileURLWithPath: "/bin/true")
        try gone.run()
        gone.waitUntilExit()
        let parent = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
        let folder = "\(parent)/apus-worker-\(gone.processIdentifier)"
        let (own, other) = (folder + "-own", folder + "-other")
        for path in [own, other] { #expect(mkdir(path, 0o700) == 0) }
        defer { for path in [own, other] { rmdir(path) } }
        #expect(chown(other, 65534, 65534) == 0)
        TemporaryFolders.sweep()
        #expect(!exists(own))
        #expect(exists(other))
    }

    private static func shell(_ script: String, _ folder: String) -> Bool {
        let shell = Process()
        shell.executableURL = URL(fileURLWithPath: "/bin/bash")
        shell.arguments = ["-c", script]
        shell.currentDirectoryURL = URL(fileURLWithPath: folder)
        do { try shell.run() } catch { return false }
        shell.waitUntilExit()
        return shell.terminationStatus == 0
    }
}
