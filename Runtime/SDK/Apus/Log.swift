import Wire

/// How much a log line matters.
public enum LogLevel: UInt8, Sendable, CaseIterable {
    /// Every step, for the author of the code.
    case trace
    /// What helps to find a mistake.
    case debug
    /// What happened, in the normal course of things.
    case info
    /// Normal, but worth a look.
    case notice
    /// Not an error, but may become one.
    case warning
    /// Something failed.
    case error
    /// Somebody must do something now.
    case critical
}

/// Writes log lines that the host keeps together with the function, the worker and the invocation.
///
/// Logging never blocks; when the host cannot keep up, lines are dropped and counted.
public struct Log: Sendable {
    let link: any CallLink

    /// Writes a line at `level`, with details as fields.
    public func log(_ level: LogLevel, _ message: String, _ metadata: KeyValuePairs<String, String> = [:]) {
        link.log(level, message, metadata.map { WireField($0.key, $0.value) })
    }

    /// Every step, for the author of the code.
    public func trace(_ message: String, _ metadata: KeyValuePairs<String, String> = [:]) {
        log(.trace, message, metadata)
    }

    /// What helps to find a mistake.
    public func debug(_ message: String, _ metadata: KeyValuePairs<String, String> = [:]) {
        log(.debug, message, metadata)
    }

    /// What happened, in the normal course of things.
    public func info(_ message: String, _ metadata: KeyValuePairs<String, String> = [:]) {
        log(.info, message, metadata)
    }

    /// Normal, but worth a look.
    public func notice(_ message: String, _ metadata: KeyValuePairs<String, String> = [:]) {
        log(.notice, message, metadata)
    }

    /// Not an error, but may become one.
    public func warning(_ message: String, _ metadata: KeyValuePairs<String, String> = [:]) {
        log(.warning, message, metadata)
    }

    /// Something failed.
    public func error(_ message: String, _ metadata: KeyValuePairs<String, String> = [:]) {
        log(.error, message, metadata)
    }

    /// Somebody must do something now.
    public func critical(_ message: String, _ metadata: KeyValuePairs<String, String> = [:]) {
        log(.critical, message, metadata)
    }
}
