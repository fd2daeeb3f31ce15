import Apus
import ApusJSON
import FoundationEssentials

/// Imports the CSV files that appear in a folder; `GET` sums up their columns of numbers.
///
/// What is known of a file is one key, written as a whole: an event that comes twice changes nothing, and a file that
/// changes or goes takes its old numbers with it.
@main
struct Inbox: FileFunction, HTTPFunction {
    struct Summary: Codable {
        var rows: Int
        var sums: [String: Decimal]
    }

    struct Totals: Encodable {
        var files = 0
        var rows = 0
        var sums: [String: Decimal] = [:]
    }

    static let largestFile = 16 << 20

    func handle(_ file: FileEvent, in context: Context) async throws {
        if let previous = file.previousName { try await context.state.delete("file/\(previous)") }
        let key = "file/\(file.name)"
        guard file.change != .deleted, let data = FileManager.default.contents(atPath: file.path) else {
            try await context.state.delete(key)
            return
        }
        let summary = try summarize(data, name: file.name)
        try await context.state.set(key, to: summary)
        context.log.info("imported", ["file": file.name, "rows": "\(summary.rows)"])
    }

    private func summarize(_ data: Data, name: String) throws -> Summary {
        guard data.count <= Self.largestFile else { throw PermanentFailure("\(name) is larger than 16 MiB") }
        guard let text = String(validating: data, as: UTF8.self) else { throw PermanentFailure("\(name) is not UTF-8") }
        do {
            let table = try CSV(text)
            return Summary(rows: table.rows.count, sums: sums(table))
        } catch let error as CSV.Malformed {
            // The same file will not parse at the next try: wait for its next change instead.
            throw PermanentFailure("\(name):\(error.line): \(error.reason)")
        }
    }

    /// The sums of the columns in which every value is a number.
    private func sums(_ table: CSV) -> [String: Decimal] {
        var sums: [String: Decimal] = [:]
        for (index, name) in table.header.enumerated() where !table.rows.isEmpty {
            let numbers = table.rows.compactMap { Decimal(string: $0[index]) }
            if numbers.count == table.rows.count { sums[name] = numbers.reduce(0, +) }
        }
        return sums
    }

    func respond(to request: HTTPRequest, in context: Context) async throws -> HTTPResponse {
        var totals = Totals()
        for entry in try await context.state.list(prefix: "file/", limit: 10_000) {
            let summary = try entry.decode(Summary.self)
            totals.files += 1
            totals.rows += summary.rows
            totals.sums.merge(summary.sums, uniquingKeysWith: +)
        }
        guard let column = request.queryParameters["column"] else { return try .json(totals) }
        guard let sum = totals.sums[column] else { throw HTTPError(404, "No file has numbers in '\(column)'.\n") }
        return .text("\(sum)\n")
    }
}
