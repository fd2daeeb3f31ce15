/// How log lines look on standard error.
package enum LogFormat: String, Sendable, CaseIterable {
    /// `pretty` on a terminal, `plain` elsewhere.
    case automatic = "auto"
    /// For people, in colours.
    case pretty
    /// For people, without colours.
    case plain
    /// One JSON object a line.
    case json
}

/// How much a log line matters, from the least; the names are those of swift-log.
package enum LogLevel: String, Sendable, CaseIterable {
    case trace, debug, info, notice, warning, error, critical
}
