import Foundation

/// Runs `body` with the path of a fresh folder, which is gone afterwards.
package func withTemporaryFolder<Result>(_ body: (String) async throws -> Result) async throws -> Result {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("apus-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    return try await body(folder.resolvingSymlinksInPath().path)
}

/// Waits until `condition` holds; looks again every few milliseconds, gives up after `limit`.
package func eventually(
    within limit: Duration = .seconds(90), _ condition: () async throws -> Bool
) async rethrows -> Bool {
    let end = ContinuousClock.now + limit
    while ContinuousClock.now < end {
        if try await condition() { return true }
        try? await ContinuousClock().sleep(for: .milliseconds(5))
    }
    return try await condition()
}
