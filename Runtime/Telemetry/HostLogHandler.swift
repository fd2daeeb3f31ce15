import Events
package import Logging

/// The back-end of the host's own loggers: every line goes to a sink, such as `LogStore.record`.
///
/// Metadata named `function`, `invocation` and `worker` become the fields of the same name.
package struct HostLogHandler: LogHandler {
    package var logLevel: Logger.Level
    package var metadata: Logger.Metadata = [:]
    package var metadataProvider: Logger.MetadataProvider?
    private let sink: @Sendable (LogLine) -> Void

    package init(level: Logger.Level, sink: @escaping @Sendable (LogLine) -> Void) {
        logLevel = level
        self.sink = sink
    }

    package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    package func log(event: LogEvent) {
        var all = metadata
        if let provided = metadataProvider?.get() { all.merge(provided) { _, new in new } }
        if let own = event.metadata { all.merge(own) { _, new in new } }
        if let error = event.error { all["error"] = "\(error)" }
        func take(_ key: String) -> String? { all.removeValue(forKey: key).map(\.description) }
        let line = LogLine(
            level: event.level, function: take("function"), worker: take("worker").flatMap { Int32($0) },
            invocation: take("invocation"), source: .host, message: event.message.description,
            metadata: all.sorted { $0.key < $1.key }.map { HeaderField($0.key, $0.value.description) })
        sink(line)
    }
}
