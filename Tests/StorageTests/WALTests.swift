import Events
import Foundation
import Storage
import Support
import Testing

@Suite("What transactions put into the WAL")
struct WALTests {
    /// Where a cache of five pages makes SQLite 3.40 write pages before the commit, and some again, it leaves checksums that
    /// are wrong when a savepoint is undone: a recovery would end there, and lose what was committed since.
    @Test(
        "is in the files after each commit, whatever its size, the syncs and the cache",
        arguments: [
            [], ["synchronous = OFF"], ["synchronous = NORMAL"], ["cache_size = 5"],
            ["cache_size = 5", "synchronous = OFF"], ["wal_autocheckpoint = 20"],
            ["cache_size = 5", "wal_autocheckpoint = 20", "synchronous = OFF"],
        ])
    func isThere(pragmas: [String]) async throws {
        try await withTemporaryFolder { folder in
            var random = SplitMix(state: 1)
            let store = try Store(directory: folder + "/data", pragmas: pragmas)
            var written: [StateKey: [UInt8]] = [:]
            for number in 0..<60 {
                var effects = Effects(namespace: "n")
                for _ in 0..<Int.random(in: 1...40, using: &random) {
                    let most = Int.random(in: 0..<20, using: &random) == 0 ? 300_000 : 700
                    let size = Int.random(in: 0..<most, using: &random)
                    let value = (0..<size).map { UInt8(truncatingIfNeeded: $0 ^ number) }
                    effects.writes.append(.init("k\(Int.random(in: 0..<100, using: &random))", .set(value)))
                }
                // Some write all of it, and then fail.
                if number.isMultiple(of: 5) {
                    let good = effects
                    effects.writes.append(.init("", .set([])))
                    let bad = effects
                    await #expect(throws: StateError.self) { _ = try await store.commit(Commit(effects: bad)) }
                    effects = good
                }
                #expect(try await store.commit(Commit(effects: effects)) == .committed)
                for write in effects.writes { if case .set(let value) = write.write { written[write.key] = value } }
                // As if the host had been killed now.
                let copy = try copyOfDatabase(from: folder + "/data", to: folder + "/copy \(number)")
                try await reopening(copy) { copy in
                    for (key, value) in written { try #expect(copy.value(key.text, in: "n")?.value == value) }
                }
                try FileManager.default.removeItem(atPath: copy)
            }
            try store.close()
        }
    }
}
