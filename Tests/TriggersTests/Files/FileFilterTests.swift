import Manifests
import Testing
import Triggers

@Suite("File filter") struct FileFilterTests {
    private func filter(_ include: [String], _ exclude: [String] = []) -> FileFilter {
        FileFilter(include: include.map { Glob($0) }, exclude: exclude.map { Glob($0) })
    }

    @Test("without patterns, all that is not hidden is wanted") func usual() {
        let filter = filter([])
        #expect(filter.matches("a") && filter.matches("a/b.c/d"))
        #expect(!filter.matches(".a") && !filter.matches("a/.b/c"))
        #expect(filter.mayMatch(below: "a") && !filter.mayMatch(below: "a/.git"))
    }

    @Test("an exclude pattern takes a directory away with all that is in it, hidden or not") func excluded() {
        let filter = filter(["**/*", "**/.*"], ["build", "out/**", "**/*.tmp"])
        #expect(!filter.matches("build/x") && !filter.matches("build/.x/y") && !filter.matches("out/.x"))
        #expect(!filter.matches(".a.tmp") && filter.matches(".a") && filter.matches("buildings/x"))
        #expect(!filter.mayMatch(below: "build") && !filter.mayMatch(below: "build/x"))
        #expect(!filter.mayMatch(below: "out") && filter.mayMatch(below: "src"))
    }

    @Test("directories that cannot hold a match are not watched") func narrow() {
        let filter = filter(["in/*/new/*.csv"])
        #expect(filter.mayMatch(below: "in") && filter.mayMatch(below: "in/x/new"))
        #expect(!filter.mayMatch(below: "out") && !filter.mayMatch(below: "in/x/old"))
    }
}
