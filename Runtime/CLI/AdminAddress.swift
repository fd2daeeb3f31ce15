import ArgumentParser

/// Where a host's admin API answers.
struct AdminAddress: Equatable, CustomStringConvertible, ExpressibleByArgument {
    static let standard = AdminAddress(host: "127.0.0.1", port: 8081)

    var host: String
    var port: Int

    init(host: String, port: Int) {
        self.host = host
        self.port = port
    }

    /// `HOST:PORT`, `[V6]:PORT` or a URL with one of them; the port is 8081 where it is missing.
    init?(argument: String) {
        var text = Substring(argument)
        if text.hasPrefix("http://") { text = text.dropFirst(7) }
        if text.hasSuffix("/") { text = text.dropLast() }
        var rest: Substring
        if text.hasPrefix("[") {
            guard let end = text.firstIndex(of: "]") else { return nil }
            host = String(text[text.index(after: text.startIndex)..<end])
            rest = text[text.index(after: end)...]
        } else {
            let end = text.firstIndex(of: ":") ?? text.endIndex
            host = String(text[..<end])
            rest = text[end...]
        }
        guard !host.isEmpty, !host.contains("/") else { return nil }
        if rest.isEmpty {
            port = Self.standard.port
        } else {
            guard rest.removeFirst() == ":", let number = UInt16(rest), number > 0 else { return nil }
            port = Int(number)
        }
    }

    /// As it stands in a `Host` header.
    var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}
