import Telemetry

/// Rows in aligned columns; numbers at the right.
struct Table {
    struct Column {
        var title: String
        var isNumber = false

        static func text(_ title: String) -> Column { Column(title: title) }
        static func number(_ title: String) -> Column { Column(title: title, isNumber: true) }
    }

    let columns: [Column]
    private(set) var rows: [[String]] = []

    init(_ columns: [Column]) { self.columns = columns }

    mutating func add(_ cells: [String]) { rows.append(cells.map { $0.printable() }) }

    /// The lines, the titles first. `colours` makes the titles bold.
    func lines(colours: Bool) -> [String] {
        let all = [columns.map(\.title)] + rows
        let widths = columns.indices.map { index in all.map { $0[index].count }.max() ?? 0 }
        let lines = all.map { row in
            let cells = zip(row, zip(columns, widths)).map { cell, shape in
                let padding = String(repeating: " ", count: shape.1 - cell.count)
                return shape.0.isNumber ? padding + cell : cell + padding
            }
            let line = cells.joined(separator: "  ")
            return String(line.prefix(line.count - line.reversed().prefix { $0 == " " }.count))
        }
        guard colours, let first = lines.first else { return lines }
        return ["\u{1B}[1m\(first)\u{1B}[0m"] + lines.dropFirst()
    }

    func show() { for line in lines(colours: Terminal.hasColours) { Terminal.line(line) } }
}
