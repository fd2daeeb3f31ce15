import Testing
import Workers

@Suite("The limit of open files")
struct FileLimitTests {
    @Test("leaves clients what workers and the host do not need")
    func connections() {
        #expect(FileLimit(files: 1 << 20).connections(atMost: 10_000, beside: 64) == 10_000)
        #expect(FileLimit(files: 4096).connections(atMost: 10_000, beside: 64) == 4096 - 640 - 1024)
        #expect(FileLimit(files: 1024).connections(atMost: 10_000, beside: 64) == 192)
        #expect(FileLimit(files: 64).connections(atMost: 10_000, beside: 64) == 16)
        #expect(FileLimit(files: 1 << 20).connections(atMost: 100, beside: 64) == 100)
    }

    @Test("is raised to what the system allows")
    func raise() { #expect(FileLimit.raise().files >= 1024) }
}
