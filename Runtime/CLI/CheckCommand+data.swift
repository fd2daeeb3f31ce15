import Foundation
import Storage

extension CheckCommand {
    /// Verifies the database of a data folder; fails when anything in it cannot be.
    func checkData(_ folder: String) throws {
        let check: DatabaseCheck
        do {
            check = try DatabaseCheck(ofDataFolder: folder)
        } catch let error as StorageError {
            throw Failure(error)
        }
        if json {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
            let document = DataCheckDocument(violations: check.violations, running: check.running)
            Terminal.bytes(Array(try encoder.encode(document)) + [UInt8(ascii: "\n")])
        } else {
            for violation in check.violations { Terminal.error("\(folder): \(violation)") }
            if check.violations.isEmpty, !quiet { Terminal.line(Self.summary(of: check, folder)) }
        }
        if !check.violations.isEmpty { throw Failure(.data, "") }
    }

    private static func summary(of check: DatabaseCheck, _ folder: String) -> String {
        let running = "\(check.running) \(check.running == 1 ? "invocation runs" : "invocations run")"
        return check.running == 0
            ? "\(folder): no problem" : "\(folder): no problem; \(running), or again at the next start"
    }
}

private struct DataCheckDocument: Encodable {
    var violations: [String]
    var running: Int
}
