import Foundation
import Support
import Testing

@Suite("The git example serves repositories", .serialized, .timeLimit(.minutes(5)))
struct GitTests {
    /// Runs `body` with a host that serves the example from a copy, and a way to run git that no configuration changes.
    private func withGit(_ body: (ApusHost, Git) async throws -> Void) async throws {
        let manifest = try String(contentsOfFile: "\(repository)/manifests/git.yaml", encoding: .utf8)
        try await ApusHost.with(
            ["git": manifest],
            prepare: { folder in
                try FileManager.default.createDirectory(
                    atPath: folder + "/Functions/git/repositories", withIntermediateDirectories: true)
                try FileManager.default.copyItem(
                    atPath: repository + "/Functions/git/git.sh", toPath: folder + "/Functions/git/git.sh")
            }
        ) { host in
            try await body(host, Git(folder: host.folder, url: "http://127.0.0.1:\(host.port)/git"))
        }
    }

    @Test("a push of 50 MB makes one, and a clone gets all of it")
    func large() async throws {
        try await withGit { host, git in
            try git("init", "--quiet", "--initial-branch=main", "work")
            for number in 1...5 { try Git.noise(10 << 20, at: "\(host.folder)/work/\(number).bin") }
            try git("-C", "work", "add", ".")
            try git("-C", "work", "commit", "--quiet", "--message=noise")
            let pushed = try git("-C", "work", "push", "\(git.url)/noise.git", "main", traced: true)
            #expect(pushed.contains("Transfer-Encoding: chunked"))
            try git("clone", "--quiet", "\(git.url)/noise.git", "copy")
            try git("-C", "copy", "fsck", "--strict")
            let (ours, theirs) = (
                try git("-C", "work", "rev-parse", "HEAD"), try git("-C", "copy", "rev-parse", "HEAD")
            )
            #expect(ours == theirs)
            for number in 1...5 {
                #expect(
                    FileManager.default.contentsEqual(
                        atPath: "\(host.folder)/work/\(number).bin", andPath: "\(host.folder)/copy/\(number).bin"))
            }
        }
    }

    @Test("takes what is compressed on its way, as when a clone asks for much")
    func compressed() async throws {
        try await withGit { _, git in
            try git("init", "--quiet", "--initial-branch=main", "work")
            try git("-C", "work", "commit", "--quiet", "--allow-empty", "--message=first")
            try git("-C", "work", "push", "--quiet", "\(git.url)/small.git", "main")
            try git("clone", "--quiet", "\(git.url)/small.git", "copy")
            // A request of more than 1,024 bytes is compressed (its remote-curl.c): 40 branches are as many lines.
            for number in 1...40 {
                try git("-C", "work", "commit", "--quiet", "--allow-empty", "--message=\(number)")
                try git("-C", "work", "branch", "b\(number)")
            }
            try git("-C", "work", "push", "--quiet", "--all", "\(git.url)/small.git")
            let fetched = try git("-C", "copy", "fetch", traced: true)
            #expect(fetched.contains("Content-Encoding: gzip"))
            let pushed = try git("-C", "work", "rev-parse", "main")
            let found = try git("-C", "copy", "rev-parse", "origin/main")
            #expect(found == pushed)
        }
    }

    @Test("two who push to a new one at once both find it whole")
    func together() async throws {
        try await withGit { _, git in
            try git("init", "--quiet", "--initial-branch=main", "work")
            try git("-C", "work", "commit", "--quiet", "--allow-empty", "--message=first")
            try await withThrowingTaskGroup { group in
                for number in 1...4 {
                    group.addTask { try git("-C", "work", "push", "--quiet", "\(git.url)/new.git", "main:b\(number)") }
                }
                try await group.waitForAll()
            }
            let branches = try git("ls-remote", "--heads", "\(git.url)/new.git").split(separator: "\n")
            #expect(branches.count == 4)
        }
    }

    @Test("says 404 for what is no repository")
    func missing() async throws {
        let paths = [
            "/git/none.git/info/refs?service=git-upload-pack": 404, "/git/none/info/refs?service=git-receive-pack": 404,
            "/git/.git/info/refs?service=git-receive-pack": 404, "/git/a%2F..%2Fb.git/info/refs": 400, "/git": 404,
        ]
        try await withGit { host, _ in
            for (path, status) in paths {
                let found = try host.get(path).status
                #expect(found == status, "\(path)")
            }
        }
    }
}

/// Runs git in a folder, with nobody's configuration.
private struct Git: Sendable {
    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    let folder: String
    /// Where the example is.
    let url: String

    /// Returns what it prints; with `traced`, also the header fields that it sends.
    @discardableResult
    func callAsFunction(_ arguments: String..., traced: Bool = false) throws -> String {
        var environment = [
            "HOME": folder, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1", "GIT_TERMINAL_PROMPT": "0",
            "GIT_AUTHOR_NAME": "Ada", "GIT_AUTHOR_EMAIL": "ada@example.org", "GIT_COMMITTER_NAME": "Ada",
            "GIT_COMMITTER_EMAIL": "ada@example.org",
        ]
        if traced { environment.merge(["GIT_TRACE_CURL": "1", "GIT_TRACE_CURL_NO_DATA": "1"]) { $1 } }
        let result = try run("/usr/bin/git", arguments, environment: environment, directory: folder)
        guard result.status == 0 else {
            throw Failure(description: "git \(arguments.joined(separator: " ")): \(result.error)")
        }
        return result.output + (traced ? result.error : "")
    }

    /// Writes what does not compress.
    static func noise(_ size: Int, at path: String) throws {
        let result = try run("/bin/sh", ["-c", "head -c \(size) /dev/urandom > '\(path)'"])
        guard result.status == 0 else { throw Failure(description: result.error) }
    }
}
