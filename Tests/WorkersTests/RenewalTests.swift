import Events
import Foundation
import Manifests
import NIOCore
import Support
import Testing
import Workers

/// The rules of a worker's sandbox are of files and folders, not of their names.
@Suite("Workers, when another file or folder has come to a path that their manifest grants", .timeLimit(.minutes(2)))
struct RenewalTests {
    /// A path `granted` and a place beside it.
    private struct Place {
        let folder: String

        var path: String { folder + "/granted" }

        func makeFolder(_ name: String, with text: String) throws {
            try FileManager.default.createDirectory(atPath: "\(folder)/\(name)", withIntermediateDirectories: true)
            try text.write(toFile: "\(folder)/\(name)/file", atomically: false, encoding: .utf8)
        }

        func makeFile(_ name: String, with text: String) throws {
            try text.write(toFile: "\(folder)/\(name)", atomically: false, encoding: .utf8)
        }

        /// `granted` leads to what has that name, instead of to what was there.
        func replace(with name: String) {
            #expect(rename("\(folder)/\(name)", path) == 0)
        }

        func link(to name: String) throws {
            let link = folder + "/link"
            try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: "\(folder)/\(name)")
            replace(with: "link")
        }
    }

    private static func with(
        _ instance: WorkerPolicy.Instance = .reuse,
        granting adjust: (inout Manifest, String) -> Void = { $0.sandbox.read = [$1] },
        prepare: (Place) throws -> Void = { _ in }, _ body: (World, Place) async throws -> Void
    ) async throws {
        try await withTemporaryFolder { folder in
            let place = Place(folder: folder)
            try prepare(place)
            let manifest = Handlers.contractWorker {
                // What a function of the same name may reach is remembered for a moment.
                $0.name = "renewal-\(UUID().uuidString.lowercased())"
                $0.workers.instance = instance
                adjust(&$0, place.path)
            }
            try await World.with(manifest) { try await body($0, place) }
        }
    }

    /// What a worker reads there.
    private static func read(_ path: String, _ world: World) async throws -> String {
        try await world.request("/shell", body: .bytes(ByteBuffer(string: "cat \(path) 2>&1"))).text()
    }

    @Test("are replaced by others, who may reach it", arguments: [WorkerPolicy.Instance.reuse, .fresh])
    func folder(_ instance: WorkerPolicy.Instance) async throws {
        try await Self.with(instance, prepare: { try $0.makeFolder("granted", with: "old") }) { world, place in
            // A template comes with demand, and copies of it would have its rules.
            for _ in 0..<20 { #expect(try await Self.read(place.path + "/file", world) == "old") }
            #expect(world.pool.renew() == [])
            #expect(rename(place.path, place.folder + "/away") == 0)
            #expect(world.pool.renew() == [])
            try place.makeFolder("granted", with: "new")
            #expect(world.pool.renew() == [place.path])
            for _ in 0..<20 { #expect(try await Self.read(place.path + "/file", world) == "new") }
            #expect(world.pool.renew() == [])
        }
    }

    @Test("are replaced when a file was put in the place of another")
    func file() async throws {
        try await Self.with(prepare: { try $0.makeFile("granted", with: "old") }) { world, place in
            #expect(try await Self.read(place.path, world) == "old")
            try place.makeFile("next", with: "new")
            place.replace(with: "next")
            #expect(world.pool.renew() == [place.path])
            #expect(try await Self.read(place.path, world) == "new")
        }
    }

    @Test("are replaced when a link leads elsewhere")
    func link() async throws {
        let prepare: (Place) throws -> Void = {
            try $0.makeFolder("one", with: "old")
            try $0.link(to: "one")
        }
        try await Self.with(prepare: prepare) { world, place in
            try place.makeFolder("two", with: "new")
            #expect(try await Self.read(place.path + "/file", world) == "old")
            try place.link(to: "two")
            #expect(world.pool.renew() == [place.path])
            #expect(try await Self.read(place.path + "/file", world) == "new")
        }
    }

    @Test("are replaced when a folder comes where there was none")
    func added() async throws {
        try await Self.with { world, place in
            #expect(try await Self.read(place.path + "/file", world).contains("No such file"))
            #expect(world.pool.mayNeedRenewal)
            try place.makeFolder("granted", with: "new")
            #expect(world.pool.renew() == [place.path])
            #expect(try await Self.read(place.path + "/file", world) == "new")
        }
    }

    @Test("finish the calls that they run")
    func running() async throws {
        try await Self.with(prepare: { try $0.makeFolder("granted", with: "old") }) { world, place in
            async let slow = world.request("/sleep", query: "ms=500").text()
            let isBegun = await eventually { world.pool.snapshot.workers.contains { $0.running == 1 } }
            #expect(isBegun)
            try place.makeFolder("next", with: "new")
            #expect(rename(place.path, place.folder + "/away") == 0)
            place.replace(with: "next")
            #expect(world.pool.renew() == [place.path])
            #expect(try await Self.read(place.path + "/file", world) == "new")
            _ = try await slow
        }
    }

    @Test("are left alone where nothing is ruled, or each call has a process")
    func none() async throws {
        try await Self.with(
            granting: { ($0.sandbox.read, $0.sandbox.enabled) = ([$1], false) },
            prepare: { try $0.makeFolder("granted", with: "old") }
        ) { world, place in
            let text = try await Self.read(place.path + "/file", world)
            #expect(text == "old")
            #expect(!world.pool.mayNeedRenewal)
        }
        let shell = Handlers.shell("cat /etc/hostname") { $0.sandbox.read = ["/srv"] }
        try await World.with(shell) { world in
            _ = try await world.request("/").text()
            #expect(!world.pool.mayNeedRenewal)
        }
    }
}
