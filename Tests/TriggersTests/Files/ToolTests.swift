import Foundation
import Testing
import Triggers

/// Real tools write into a real folder: each final file is told once.
@Suite("File tools") struct ToolTests {
    static let tree =
        "mkdir -p $base/t/x/y $base/t/z; for n in 1 2 3; do echo $n > $base/t/$n; "
        + "echo $n > $base/t/x/y/$n; echo $n > $base/t/z/$n; done; "
    static let files = ["1", "2", "3", "x/y/1", "x/y/2", "x/y/3", "z/1", "z/2", "z/3"]

    @Test(
        "a tree that a tool brings is delivered file by file, once",
        arguments: [
            "cp -a $base/t .", "mv $base/t .", "rsync -a $base/t .", "mkdir t; tar -C $base/t -c . | tar -x -C t",
            "mkdir -p p/DEBIAN; mv p $base; mv $base/t $base/p; "
                + "printf 'Package: p\\nVersion: 1\\nArchitecture: all\\nMaintainer: a <a@b>\\nDescription: d\\n' "
                + "> $base/p/DEBIAN/control; dpkg-deb -b $base/p $base/p.deb; dpkg -x $base/p.deb .",
            "git init -q $base/t; git -C $base/t add .; git -C $base/t commit -qm 1; git clone -q $base/t t",
        ])
    func trees(tool: String) async throws {
        try await withFileWorld { world in
            try await world.shell(Self.tree)
            try await world.serving([FileWorld.manifest("f", world.trigger())]) {
                try await world.shell(tool)
                try await world.tells(Self.files.map { "created t/\($0)" })
            }
        }
    }

    @Test("rsync onto an older copy tells what it replaced, added and removed") func rsyncUpdate() async throws {
        try await withFileWorld { world in
            try await world.shell(Self.tree + "cp -a $base/t .")
            try await world.serving([FileWorld.manifest("f", world.trigger())]) {
                try await world.shell(
                    "cd $base/t; echo longer > x/y/1; rm z/2; echo new > new; rsync -a --delete . $base/inbox/t")
                try await world.tells(["created t/new", "deleted t/z/2", "modified t/x/y/1"])
            }
        }
    }

    @Test("git checkout of another branch tells the difference") func checkout() async throws {
        try await withFileWorld { world in
            try await world.shell(
                """
                git init -q -b one; for n in 1 2 3 4; do echo $n > $n; done; git add .; git commit -qm one
                git checkout -qb two; echo two > 1; rm 2; mkdir d; echo 5 > d/5; git add -A; git commit -qm two
                git checkout -q one
                """)
            try await world.serving([FileWorld.manifest("f", world.trigger())]) {
                try await world.shell("git checkout -q two")
                try await world.tells(["created d/5", "deleted 2", "modified 1"])
            }
        }
    }

    @Test(
        "an editor that replaces the file has modified it",
        arguments: [
            "echo new > tmp; mv tmp f", "echo new > .f.swp; mv .f.swp f", "sed -i s/old/new/ f",
            "mv f f~; echo new > f; rm f~", "cp f f.bak; echo new > f; rm f.bak", "echo new >> f", "touch f",
            "ln f f~; echo new > f.new; mv f.new f; rm f~",
        ])
    func editors(edit: String) async throws {
        try await withFileWorld { world in
            try world.write("f", "old\n")
            try await world.serving([FileWorld.manifest("f", world.trigger())]) {
                try await world.shell(edit)
                try await world.tells(["modified f"])
            }
        }
    }

    @Test("an editor that keeps a backup has made that too") func backup() async throws {
        try await withFileWorld { world in
            try world.write("f", "old\n")
            try await world.serving([FileWorld.manifest("f", world.trigger())]) {
                try await world.shell("mv f f~; echo new > f")
                try await world.tells(["created f~", "modified f"])
            }
        }
    }

    @Test("what comes and goes while it is not quiet is nothing") func transient() async throws {
        try await withFileWorld { world in
            try await world.serving([FileWorld.manifest("f", world.trigger())]) {
                try await world.shell(
                    "echo 1 > a; mkdir d; echo 2 > d/b; mv a c; rm -r d c; ln -s /etc/hosts link; mkfifo p")
                try await world.tells([])
            }
        }
    }

    @Test("directories that are made and filled at once are seen whole") func raceOfDirectories() async throws {
        try await withFileWorld { world in
            try await world.serving([FileWorld.manifest("f", world.trigger())]) {
                try await world.shell(
                    "for n in $(seq 50); do mkdir -p $n/b/c && touch $n/b/c/f && mkdir $n/d && mv $n/b $n/d/e; done")
                try await world.tells((1...50).map { "created \($0)/d/e/c/f" }.sorted())
            }
        }
    }
}
