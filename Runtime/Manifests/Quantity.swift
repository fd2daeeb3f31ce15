import Events

/// How manifests write durations and sizes. The same rules stand in `manifests/schema.json`.
package enum Quantity {
    /// From the longest to the shortest, since a compound duration descends: `1h30m`.
    private static let units: [(suffix: String, milliseconds: Int64)] = [
        ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1),
    ]

    /// Reads `10s`, `200ms`, `7d`, `1h30m`: whole numbers with units, each unit once, the longest first.
    /// `nil` for anything else, also past 2⁶³ milliseconds.
    package static func duration(_ text: String) -> Duration? {
        var rest = text[...].utf8
        var next = 0
        var total: Int64 = 0
        while !rest.isEmpty {
            guard let (number, suffix) = leading(&rest),
                let index = units[next...].firstIndex(where: { $0.suffix == suffix })
            else { return nil }
            let (product, isTooLong) = number.multipliedReportingOverflow(by: units[index].milliseconds)
            let (sum, isSumTooLong) = total.addingReportingOverflow(product)
            guard !isTooLong, !isSumTooLong else { return nil }
            total = sum
            next = index + 1
        }
        return text.isEmpty ? nil : .milliseconds(total)
    }

    /// As `duration(_:)` reads it: `1h30m`, `0s`.
    package static func text(_ duration: Duration) -> String {
        var rest = duration.milliseconds
        var text = ""
        for (suffix, milliseconds) in units where rest >= milliseconds {
            text += "\(rest / milliseconds)\(suffix)"
            rest %= milliseconds
        }
        return text.isEmpty ? "0s" : text
    }

    static let sizeUnits: [(suffix: String, bytes: Int64)] = [
        ("B", 1), ("kB", 1000), ("KB", 1000), ("MB", 1_000_000), ("GB", 1_000_000_000), ("TB", 1_000_000_000_000),
        ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("TiB", 1 << 40),
    ]

    /// Reads `256MiB`, `1GB` or plain bytes; `nil` for anything else, also past 2⁶³ bytes.
    package static func size(_ text: String) -> Int64? {
        var rest = text[...].utf8
        guard let (number, suffix) = leading(&rest), rest.isEmpty else { return nil }
        if suffix.isEmpty { return number }
        guard let unit = sizeUnits.first(where: { $0.suffix == suffix }) else { return nil }
        let (bytes, overflow) = number.multipliedReportingOverflow(by: unit.bytes)
        return overflow ? nil : bytes
    }

    /// As `size(_:)` reads it, in the largest binary unit that divides it.
    package static func text(size: Int64) -> String {
        for (suffix, bytes) in sizeUnits.reversed() where suffix.hasSuffix("iB") && size >= bytes && size % bytes == 0 {
            return "\(size / bytes)\(suffix)"
        }
        return "\(size)B"
    }

    /// Takes digits and the ASCII letters after them from the front of `rest`.
    private static func leading(_ rest: inout Substring.UTF8View) -> (number: Int64, suffix: String)? {
        let digits = rest.prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
        guard let number = Int64(Substring(digits)) else { return nil }
        let letters = rest[digits.endIndex...].prefix { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0 | 0x20) }
        rest = rest[letters.endIndex...]
        return (number, String(Substring(letters)))
    }
}
