import Admin
import Events
import Foundation
import Storage
import Synchronization
import Testing

@Suite struct AdminRoutesTests {
    @Test("a host is alive before it is ready, and says what it waits for")
    func health() async throws {
        var setting = AdminWorld.Setting()
        setting.checks = [ReadinessCheck("store"), ReadinessCheck("gateway", problem: "not listening yet")]
        try await AdminWorld.with(setting) { world async throws in
            #expect(try await world.send("GET", "/healthz").status == 200)
            let answer = try await world.send("GET", "/readyz")
            #expect(answer.status == 503)
            #expect(answer.body.contains(#""problem":"not listening yet""#))
        }
        try await AdminWorld.with { world async throws in
            #expect(try await world.send("GET", "/readyz").status == 200)
        }
    }

    @Test("what another site sends is refused before anything is done")
    func foreign() async throws {
        try await AdminWorld.with { world async throws in
            let rebound = try await world.send("GET", "/v1/state", ["Host: evil.example"])
            #expect(rebound.status == 403)
            #expect(rebound.head.lowercased().contains("content-type: application/problem+json"))
            let page = try await world.send("PUT", "/v1/state/a/b", ["Origin: http://evil.example"], body: "x")
            #expect(page.status == 403)
            #expect(try world.store.value("b", in: "a") == nil)
        }
    }

    @Test("errors are problem documents")
    func problems() async throws {
        try await AdminWorld.with { world async throws in
            for (method, target, status) in [
                ("GET", "/nowhere", 404), ("GET", "/v1/functions/none", 404),
                ("POST", "/v1/functions/none/invocations", 404), ("GET", "/v1/invocations?state=odd", 400),
                ("GET", "/v1/logs?since=yesterday", 400), ("GET", "/v1/state/a?limit=-1", 400),
                ("GET", "/v1/logs?function=none", 404), ("GET", "/v1/logs?function=none&follow=true", 404),
                ("GET", "/v1/logs?invocation=none", 400), ("GET", "/v1/state/none", 404),
                ("GET", "/v1/state/none?prefix=a", 404),
            ] {
                let answer = try await world.send(method, target)
                #expect(answer.status == status, "\(method) \(target)")
                #expect(answer.head.lowercased().contains("content-type: application/problem+json"))
                #expect(answer.body.contains("\"type\":\"urn:apus:problem:"))
            }
        }
    }

    @Test("a name is read as it was meant, and told so")
    func encodedNames() async throws {
        try await AdminWorld.with { world async throws in
            for (path, words) in [
                ("functions/%C3%A9%20x", "no function is named 'é x'"),
                ("state/a%20b", "no function has the namespace 'a b'"),
                ("state/a%20b/%C3%A9", "the namespace 'a b' has no key 'é'"),
                ("invocations/a%20b", "'a b' is no id of an invocation"),
            ] {
                #expect(try await world.send("GET", "/v1/" + path).body.contains(words), "\(path)")
            }
            for path in ["functions/%FF", "state/a%00b", "invocations/%"] {
                #expect(try await world.send("GET", "/v1/" + path).status == 400, "\(path)")
            }
        }
    }

    @Test("a host without functions has none to show")
    func empty() async throws {
        try await AdminWorld.with { world async throws in
            #expect(try await world.send("GET", "/v1/functions").body == "{\"functions\":[]}\n")
            #expect(try await world.send("GET", "/v1/invocations").body == "{\"invocations\":[]}\n")
        }
    }

    @Test("a reload says what is wrong")
    func reload() async throws {
        try await AdminWorld.with { world async throws in
            let answer = try await world.send("POST", "/v1/reload")
            #expect(answer.status == 200)
            let document =
                #"{"added":[],"changed":["hello"],"functions":2,"problems":[],"reloaded":true,"removed":[]}"#
            #expect(answer.body == document + "\n")
        }
        var setting = AdminWorld.Setting()
        setting.problems = ["a.yaml:1:1: wrong"]
        try await AdminWorld.with(setting) { world async throws in
            let answer = try await world.send("POST", "/v1/reload")
            #expect(answer.status == 422)
            #expect(answer.body.contains("a.yaml:1:1: wrong"))
        }
    }

    @Test("log lines are asked for as the query says")
    func logs() async throws {
        var setting = AdminWorld.Setting()
        setting.lines = ["{\"message\":\"one\"}", "{\"message\":\"two\"}"]
        setting.coming = ["{\"message\":\"three\"}"]
        try await AdminWorld.with(setting) { [setting] world async throws in
            let answer = try await world.send("GET", "/v1/logs?function=a%2Db&since=1000&limit=7")
            #expect(answer.body == "{\"message\":\"one\"}\n{\"message\":\"two\"}\n")
            let expected = LogQuery(function: "a-b", since: WallTime(milliseconds: 1000), limit: 7)
            let asked = setting.asked.queries.withLock { $0 }
            #expect(asked == [expected])
            let followed = try await world.send("GET", "/v1/logs?follow=true")
            #expect(followed.body.split(separator: "\n").count == 3)
        }
    }

    @Test("the document describes every path that there is, and is valid JSON")
    func openAPI() async throws {
        let object = try JSONSerialization.jsonObject(with: Data(OpenAPI.document.utf8))
        let paths = try #require((object as? [String: Any])?["paths"] as? [String: [String: Any]])
        try await AdminWorld.with { [described = paths.mapValues { Set($0.keys) }] world async throws in
            #expect(try await world.send("GET", "/v1/openapi.json").body == OpenAPI.document)
            for path in described.keys {
                let target = path.replacing("{name}", with: "n").replacing("{namespace}", with: "s").replacing(
                    "{key}", with: "k"
                ).replacing("{id}", with: InvocationID().description)
                let methods = ["GET", "POST", "PUT", "DELETE"].filter {
                    described[path]?.contains($0.lowercased()) == true
                }
                let answer = try await world.send(try #require(methods.first), target)
                #expect(!answer.body.contains("openapi.json lists"), "\(path)")
                #expect(answer.status != 500, "\(path)")
            }
        }
    }
}

@Suite struct StateRoutesTests {
    @Test("a value is written, read, listed and deleted, whatever its key holds")
    func roundTrip() async throws {
        try await AdminWorld.with { world async throws in
            let key = "/v1/state/shop/order%2F1/%C3%A4%20?x=1"
            #expect(try await world.send("PUT", key, body: "hello\n").status == 204)
            let read = try await world.send("GET", key)
            #expect(read.body == "hello\n")
            #expect(read.head.lowercased().contains("etag: \""))
            #expect(try world.store.value("order/1/ä ", in: "shop")?.value == Array("hello\n".utf8))
            #expect(try await world.send("GET", "/v1/state").body == "{\"namespaces\":[\"shop\"]}\n")
            #expect(try await world.send("GET", "/v1/storage").body == "{\"commits\":1,\"units\":1,\"waiting\":0}\n")
            #expect(try await world.send("DELETE", key).status == 204)
            #expect(try await world.send("GET", key).status == 404)
            #expect(try await world.send("DELETE", key).status == 404)
        }
    }

    @Test("a namespace that holds keys has a list without a function, if an empty one")
    func strayNamespace() async throws {
        try await AdminWorld.with { world async throws in
            #expect(try await world.send("PUT", "/v1/state/stray/k", body: "v").status == 204)
            for (query, status) in [("", 200), ("?prefix=other", 200), ("?after=k", 200)] {
                #expect(try await world.send("GET", "/v1/state/stray\(query)").status == status, "\(query)")
            }
            #expect(try await world.send("DELETE", "/v1/state/stray/k").status == 204)
            #expect(try await world.send("GET", "/v1/state/stray").status == 404)
            // The last page of a list whose namespace has gone meanwhile.
            #expect(try await world.send("GET", "/v1/state/stray?after=k").status == 200)
        }
    }

    @Test("a long list comes in pages")
    func pages() async throws {
        try await AdminWorld.with { world async throws in
            var effects = Effects(namespace: "n")
            for number in 0..<5 { effects.writes.append(Effects.KeyWrite("k\(number)", .set([UInt8(number), 0xFF]))) }
            effects.writes.append(Effects.KeyWrite("other", .set([])))
            _ = try await world.store.commit(Commit(effects: effects))
            let first = try await world.send("GET", "/v1/state/n?prefix=k&limit=3")
            #expect(first.body.contains(#""next":"k2""#))
            #expect(first.body.contains(#""value":{"base64":"AP8="}"#))
            let second = try await world.send("GET", "/v1/state/n?prefix=k&limit=3&after=k2")
            #expect(second.body.contains("k3") && second.body.contains("k4"))
            #expect(!second.body.contains("next") && !second.body.contains("other"))
        }
    }

    @Test("a page of large values ends early and says where to go on")
    func largePages() async throws {
        try await AdminWorld.with { world async throws in
            for number in 0..<6 {
                var effects = Effects(namespace: "n")
                let large = [UInt8](repeating: UInt8(ascii: "v"), count: 1 << 20)
                effects.writes.append(Effects.KeyWrite("k\(number)", .set(large)))
                _ = try await world.store.commit(Commit(effects: effects))
            }
            let first = try await world.send("GET", "/v1/state/n?prefix=k")
            #expect(first.body.contains(#""next":"k3""#))
            let second = try await world.send("GET", "/v1/state/n?prefix=k&after=k3")
            #expect(second.body.contains(#""k5""#) && !second.body.contains("next"))
        }
    }

    @Test("a body that is not chunked as it says is the client's fault", arguments: ["zz\r\n", "5\r\nhello\r\nzz\r\n"])
    func brokenBody(_ body: String) async throws {
        try await AdminWorld.with { world async throws in
            let head = "PUT /v1/state/n/k HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n"
            let answer = try await world.send(raw: head + body)
            #expect(answer.status == 400)
            #expect(answer.body.contains("bad-request"))
            #expect(try await world.send("GET", "/v1/state/n/k").status == 404)
        }
    }

    @Test("keys and values have the bounds that handlers have")
    func bounds() async throws {
        try await AdminWorld.with { world async throws in
            let long = String(repeating: "k", count: 1025)
            #expect(try await world.send("PUT", "/v1/state/n/\(long)", body: "x").status == 400)
            #expect(try await world.send("PUT", "/v1/state/n/%FF", body: "x").status == 400)
            let big = String(repeating: "v", count: 1 << 20)
            #expect(try await world.send("PUT", "/v1/state/n/k", body: big).status == 204)
            #expect(try await world.send("PUT", "/v1/state/n/k", body: big + "v").status == 413)
        }
    }
}
