/// Comma-separated values as RFC 4180 has them: quoted fields may hold commas, line ends and doubled quotes.
struct CSV {
    struct Malformed: Error {
        var line: Int
        var reason: String
    }

    /// The first record.
    var header: [String]
    /// All others; each has as many fields as the header.
    var rows: [[String]]

    init(_ text: String) throws {
        var records = try Self.records(text)
        guard !records.isEmpty else { throw Malformed(line: 1, reason: "there is no header") }
        header = records.removeFirst().fields
        rows = []
        for record in records {
            guard record.fields.count == header.count else {
                throw Malformed(
                    line: record.line, reason: "\(record.fields.count) fields where the header has \(header.count)")
            }
            rows.append(record.fields)
        }
    }

    private static func records(_ text: String) throws -> [(line: Int, fields: [String])] {
        var records: [(line: Int, fields: [String])] = []
        var fields: [String] = []
        var field = ""
        var isQuoted = false
        var line = 1
        var first = 1
        func endRecord() {
            fields.append(field)
            if fields != [""] { records.append((first, fields)) }
            (fields, field) = ([], "")
        }
        var rest = text.makeIterator()
        var next = rest.next()
        while let character = next {
            next = rest.next()
            // "\r\n" is one Character.
            if character.isNewline { line += 1 }
            switch character {
            case "\"" where isQuoted && next == "\"":
                field.append("\"")
                next = rest.next()
            case "\"" where isQuoted || field.isEmpty: isQuoted.toggle()
            case _ where isQuoted: field.append(character)
            case ",":
                fields.append(field)
                field = ""
            case _ where character.isNewline:
                endRecord()
                first = line
            default: field.append(character)
            }
        }
        guard !isQuoted else { throw Malformed(line: first, reason: "a quote is not closed") }
        endRecord()
        return records
    }
}
