import Events
import Foundation
import Manifests
import Support
import Testing
import Workers

@Suite("What a CGI program finds in its environment")
struct CGIVariablesTests {
    private func manifest(
        _ path: RoutePattern.Segment..., command: [String] = ["/srv/bin/program"], directory: String = "/srv",
        environment: [String: String] = [:]
    ) -> Manifest {
        let trigger = HTTPTrigger(path: RoutePattern(segments: path, description: ""))
        var manifest = Manifest(
            name: "script", handler: Handler(command: command, contract: .cgi, directory: directory),
            triggers: [.http(trigger)])
        manifest.environment = environment
        return manifest
    }

    private func variables(
        _ manifest: Manifest, _ path: String = "/", method: String = "GET", query: String = "",
        headers: [HeaderField] = [], remote: String = "192.0.2.7:5000", length: Int? = nil
    ) -> [String: String] {
        let head = RequestHead(
            method: method, path: path, query: query, headers: headers, remoteAddress: remote)
        let invocation = Invocation(function: "script", cause: .request(head))
        return CGIVariables(invocation, of: CGIScript(manifest), length: length).values
    }

    @Test("describes the request and the server")
    func request() {
        let manifest = manifest(.literal("git"), .rest("path"))
        let found = variables(
            manifest, "/git/a%20b/c", method: "PUT", query: "x=%201&y", headers: [HeaderField("Host", "git.test:81")],
            length: 12)
        let expected = [
            "GATEWAY_INTERFACE": "CGI/1.1", "SERVER_PROTOCOL": "HTTP/1.1", "SERVER_SOFTWARE": "apus",
            "SERVER_NAME": "git.test", "SERVER_PORT": "81", "REQUEST_METHOD": "PUT", "SCRIPT_NAME": "/git",
            "PATH_INFO": "/a b/c", "PATH_TRANSLATED": "/srv/a b/c", "QUERY_STRING": "x=%201&y",
            "REQUEST_URI": "/git/a%20b/c?x=%201&y", "REMOTE_ADDR": "192.0.2.7", "REMOTE_HOST": "192.0.2.7",
            "REMOTE_PORT": "5000", "CONTENT_LENGTH": "12", "DOCUMENT_ROOT": "/srv", "REQUEST_SCHEME": "http",
            "SCRIPT_FILENAME": "/srv/bin/program", "HTTP_HOST": "git.test:81", "APUS_TRIGGER": "http",
        ]
        for (name, value) in expected { #expect(found[name] == value, "\(name)") }
        #expect(found["AUTH_TYPE"] == nil && found["REMOTE_USER"] == nil)
        #expect(found["APUS_INVOCATION"]?.count == 36)
    }

    @Test("sets what the RFC wants set even when there is nothing to say")
    func empty() {
        let found = variables(manifest(.literal("git"), .rest("path")), "/git")
        #expect(found["QUERY_STRING"] == "")
        #expect(found["PATH_INFO"] == "")
        #expect(found["PATH_TRANSLATED"] == nil)
        #expect(found["CONTENT_LENGTH"] == nil)
        #expect(found["CONTENT_TYPE"] == nil)
        #expect(found["SERVER_NAME"] == "localhost")
        #expect(found["SERVER_PORT"] == "80")
        #expect(found["REQUEST_URI"] == "/git")
    }

    @Test("divides the path where the literal part of the route ends")
    func paths() {
        func split(_ path: String, _ segments: RoutePattern.Segment...) -> [String?] {
            let trigger = HTTPTrigger(path: RoutePattern(segments: segments, description: ""))
            var manifest = manifest()
            manifest.triggers = [.http(trigger)]
            let found = variables(manifest, path)
            return [found["SCRIPT_NAME"], found["PATH_INFO"]]
        }
        #expect(split("/git/", .literal("git"), .rest("path")) == ["/git", "/"])
        #expect(split("/git//x/", .literal("git"), .rest("path")) == ["/git", "//x/"])
        #expect(split("/a/b", .literal("a"), .literal("b")) == ["/a/b", ""])
        #expect(split("/orders/42", .literal("orders"), .parameter("id")) == ["/orders", "/42"])
        #expect(split("/orders", .literal("orders"), .optional("id")) == ["/orders", ""])
        #expect(split("/acme/git/x", .parameter("who"), .literal("git"), .rest("path")) == ["", "/acme/git/x"])
        #expect(split("/x/y", .rest("path")) == ["", "/x/y"])
        #expect(split("/", .rest("path")) == ["", "/"])
        #expect(split("/git/a%2Fb%3B", .literal("git"), .rest("path")) == ["/git", "/a/b;"])
    }

    @Test("has the header fields, one variable a name, without those that have their own or could harm")
    func headers() {
        let headers = [
            HeaderField("Content-Type", "text/plain"), HeaderField("Content-Length", "3"),
            HeaderField("Content-Encoding", "gzip"), HeaderField("Accept", "a/b"), HeaderField("accept", "c/d"),
            HeaderField("Cookie", "a=1"), HeaderField("Cookie", "b=2"), HeaderField("Authorization", "Basic eDp5"),
            HeaderField("Proxy", "http://evil.test"), HeaderField("Proxy-Authorization", "Basic eDp5"),
            HeaderField("X_User", "root"), HeaderField("X-Nul", "a\0b"),
        ]
        let found = variables(manifest(.rest("path")), headers: headers, length: 3)
        #expect(found["CONTENT_TYPE"] == "text/plain")
        #expect(found["CONTENT_LENGTH"] == "3")
        let fromHeaders = found.filter { $0.key.hasPrefix("HTTP_") }
        #expect(
            fromHeaders == [
                "HTTP_CONTENT_ENCODING": "gzip", "HTTP_ACCEPT": "a/b, c/d", "HTTP_COOKIE": "a=1; b=2",
                "HTTP_AUTHORIZATION": "Basic eDp5", "HTTP_X_NUL": "a",
            ])
    }

    @Test(
        "names the server as the client does",
        arguments: [
            ("example.org", "example.org", "80"), ("example.org:8080", "example.org", "8080"),
            ("[::1]:8080", "[::1]", "8080"), ("[::1]", "[::1]", "80"), ("", "localhost", "80"),
            (":8080", "localhost", "8080"), ("example.org:", "example.org", "80"),
            ("example.org:$(x)", "example.org", "80"), ("example.org:65536", "example.org", "80"),
            ("example.org:+8", "example.org", "80"), ("[::1]:x", "[::1]", "80"),
        ])
    func server(host: String, name: String, port: String) {
        let found = variables(manifest(.rest("path")), headers: [HeaderField("Host", host)])
        #expect(found["SERVER_NAME"] == name)
        #expect(found["SERVER_PORT"] == port)
    }

    @Test("learns from a proxy on this machine, and from nobody else, that its client speaks https")
    func secure() {
        let headers = [HeaderField("X-Forwarded-Proto", "https"), HeaderField("Host", "example.org")]
        let found = variables(manifest(.rest("path")), headers: headers, remote: "127.0.0.1:5000")
        #expect(found["HTTPS"] == "on" && found["REQUEST_SCHEME"] == "https" && found["SERVER_PORT"] == "443")
        #expect(found["HTTP_X_FORWARDED_PROTO"] == "https")
        let plain = variables(manifest(.rest("path")), headers: headers, remote: "192.0.2.7:5000")
        #expect(plain["HTTPS"] == nil && plain["REQUEST_SCHEME"] == "http" && plain["SERVER_PORT"] == "80")
        #expect(plain["HTTP_X_FORWARDED_PROTO"] == nil)
        let named = Array(headers.dropLast()) + [HeaderField("Host", "example.org:8443")]
        #expect(variables(manifest(.rest("path")), headers: named, remote: "[::1]:5000")["SERVER_PORT"] == "8443")
    }

    @Test("gives an IPv6 client without brackets")
    func remote() {
        let found = variables(manifest(.rest("path")), remote: "[2001:db8::1]:443")
        #expect(found["REMOTE_ADDR"] == "2001:db8::1")
        #expect(found["REMOTE_PORT"] == "443")
    }

    @Test("leaves to the manifest what it declares")
    func declared() {
        let manifest = manifest(
            .literal("a"), .rest("path"), environment: ["DOCUMENT_ROOT": "/var/www", "REMOTE_USER": "ada"])
        let found = variables(manifest, "/a/b")
        #expect(found["DOCUMENT_ROOT"] == nil)
        #expect(found["PATH_TRANSLATED"] == "/var/www/b")
    }

    @Test("names the script that an interpreter runs")
    func scriptFile() async throws {
        try await withTemporaryFolder { folder in
            try "".write(toFile: folder + "/a.pl", atomically: false, encoding: .utf8)
            func file(_ command: String...) -> String? {
                variables(manifest(.rest("path"), command: command, directory: folder))["SCRIPT_FILENAME"]
            }
            #expect(file("/usr/bin/perl", "-T", "a.pl", "x") == folder + "/a.pl")
            #expect(file("/usr/bin/perl", folder + "/a.pl") == folder + "/a.pl")
            #expect(file("/usr/bin/git", "http-backend") == "/usr/bin/git")
            #expect(file("/usr/bin/env", "/") == "/usr/bin/env")
        }
    }

    @Test("describes an event as a POST of its JSON")
    func event() {
        let invocation = Invocation(function: "script", cause: .event(.timer, .example))
        let found = CGIVariables(invocation, of: CGIScript(manifest()), length: 100).values
        #expect(found["REQUEST_METHOD"] == "POST")
        #expect(found["CONTENT_TYPE"] == "application/cloudevents+json")
        #expect(found["CONTENT_LENGTH"] == "100")
        #expect(found["CE_ID"] == "e1")
        #expect(found["CE_TYPE"] == "apus.timer.due")
        #expect(found["PATH_INFO"] == "" && found["SCRIPT_NAME"] == "" && found["QUERY_STRING"] == "")
    }
}
