import Manifests
import Testing
import Triggers

@Suite("File renames") struct RenameTests {
    private func story(before: String, _ script: String, watching configure: (FileWorld) -> [String] = { _ in [] })
        async throws -> [String]
    {
        var told: [String] = []
        try await withFileWorld { world in
            try await world.shell(before)
            try await world.serving([FileWorld.manifest("f", world.trigger(include: configure(world)))]) {
                try await world.shell(script)
                told = try await world.story()
            }
        }
        return told
    }

    @Test("a rename is one event") func file() async throws {
        #expect(try await story(before: "echo 1 > a", "mv a b") == ["moved a -> b"])
    }

    @Test("a rename of a rename has the first name and the last") func chain() async throws {
        #expect(try await story(before: "echo 1 > a", "mv a b; mv b c; mkdir d; mv c d/e") == ["moved a -> d/e"])
    }

    @Test("a file that is renamed and written is moved") func renamedAndWritten() async throws {
        #expect(try await story(before: "echo 1 > a", "mv a b; echo more >> b") == ["moved a -> b"])
    }

    @Test("a new name after an unlink is another file, even with the same inode") func reuse() async throws {
        #expect(try await story(before: "echo 1 > a", "rm a; echo 2 > b") == ["created b", "deleted a"])
    }

    @Test("a file that is moved into a new directory is moved") func intoNewDirectory() async throws {
        #expect(try await story(before: "echo 1 > a", "mkdir d; mv a d/a") == ["moved a -> d/a"])
    }

    @Test("two files that change names are both modified") func swap() async throws {
        let told = try await story(before: "echo 1 > a; echo 22 > b", "mv a t; mv b a; mv t b")
        #expect(told == ["modified a", "modified b"])
    }

    @Test("a tree that is renamed moves file by file, and is watched under its new name") func tree() async throws {
        let told = try await story(
            before: "mkdir -p t/x; echo 1 > t/1; echo 2 > t/x/2", "mv t u; echo 3 > u/x/3; mv u/x u/y")
        #expect(told == ["created u/y/3", "moved t/1 -> u/1", "moved t/x/2 -> u/y/2"])
    }

    @Test("a tree that leaves is deleted, and comes back as created") func leaving() async throws {
        try await withFileWorld { world in
            try await world.shell("mkdir -p t/x; echo 1 > t/1; echo 2 > t/x/2; echo 3 > 3")
            try await world.serving([FileWorld.manifest("f", world.trigger())]) {
                for _ in 0..<2 {
                    try await world.shell("mv t 3 $base")
                    try await world.tells(["deleted 3", "deleted t/1", "deleted t/x/2"])
                    try await world.shell("echo 4 > $base/t/4; rm $base/t/4; mv $base/t $base/3 .")
                    try await world.tells(["created 3", "created t/1", "created t/x/2"])
                }
            }
        }
    }

    @Test("a file that takes a wanted name is created, one that loses it is deleted") func filtered() async throws {
        let told = try await story(before: "echo 1 > a.part; echo 2 > b.csv", "mv a.part a.csv; mv b.csv b.old") { _ in
            ["**/*.csv"]
        }
        #expect(told == ["created a.csv", "deleted b.csv"])
    }

    @Test("a trigger that does not ask for moves sees the old name end and the new one begin") func unasked()
        async throws
    {
        try await withFileWorld { world in
            try world.write("a", "1")
            let trigger = world.trigger(events: [.created, .modified])
            let both = world.trigger(events: [.created, .deleted])
            try await world.serving([FileWorld.manifest("f", trigger), FileWorld.manifest("g", both)]) {
                try await world.shell("mv a b")
                try await world.tells(["created b"], to: "f")
                try await world.tells(["created b", "deleted a"], to: "g")
            }
        }
    }

    @Test("a temporary name that was quiet for long leaves when it replaces the file") func slowTemporary() async throws
    {
        try await withFileWorld { world in
            try world.write("f", "old")
            try await world.serving([FileWorld.manifest("f", world.trigger())]) {
                try world.write("tmp", "new")
                try await world.tells(["created tmp"])
                try await world.shell("mv tmp f")
                try await world.tells(["deleted tmp", "modified f"])
            }
        }
    }
}
