import Glibc

extension [UInt8] {
    /// Writes all of it. Where a descriptor that does not block is full, waits until there is room.
    ///
    /// - Parameter patience: milliseconds to wait for room each time; -1 for ever.
    /// - Returns: whether it is out; when not, `errno` says why.
    package func write(to descriptor: Int32, patience: Int32 = -1) -> Bool {
        var rest = self[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count > 0 {
                rest = rest.dropFirst(count)
            } else if count < 0, errno == EAGAIN {
                var waiting = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                guard poll(&waiting, 1, patience) > 0 else { return false }
            } else if errno != EINTR {
                return false
            }
        }
        return true
    }
}

extension String {
    /// The text as it can be shown on a terminal without steering it: control characters (C0, DEL, C1) become pictures
    /// of themselves (U+2400…), or U+FFFD where there is none.
    ///
    /// - Parameter tabs: tabs stay as they are.
    package func printable(tabs: Bool = false) -> String {
        func isControl(_ scalar: Unicode.Scalar) -> Bool {
            scalar.properties.generalCategory == .control && !(tabs && scalar == "\t")
        }
        // C1 begins with 0xC2 in UTF-8; most texts have none of these bytes.
        guard utf8.contains(where: { $0 < 0x20 || $0 == 0x7F || $0 == 0xC2 }) else { return self }
        return String(String.UnicodeScalarView(unicodeScalars.map { isControl($0) ? Self.picture(of: $0) : $0 }))
    }

    private static func picture(of control: Unicode.Scalar) -> Unicode.Scalar {
        switch control.value {
        case 0..<0x20: Unicode.Scalar(0x2400 + control.value) ?? "\u{FFFD}"
        case 0x7F: "\u{2421}"
        default: "\u{FFFD}"
        }
    }
}
