import Engine
import Events
import FoundationEssentials
import Manifests
import Storage
import Workers

extension FunctionDocument {
    init(_ function: HostedFunction, queue: QueueCounts) {
        let statistics = function.statistics
        self.init(
            name: function.manifest.name, description: function.manifest.description,
            triggers: function.manifest.triggers.map(\.summary), pool: function.pool.snapshot,
            outcomes: statistics.outcomes, running: statistics.running, queue: queue,
            last: statistics.last.map(EndedDocument.init))
    }
}

extension EndedDocument {
    init(_ ended: FunctionStatistics.Ended) {
        self.init(
            invocation: ended.invocation, trigger: ended.trigger.rawValue, outcome: ended.outcome.rawValue,
            ended: ended.ended.description, milliseconds: ended.milliseconds, reason: ended.reason)
    }
}

extension DeclaredDocument {
    init(_ manifest: Manifest) {
        let workers = manifest.workers
        let limits = manifest.limits
        let retry = manifest.retry
        self.init(
            file: manifest.file, contract: manifest.handler.contract.rawValue, command: manifest.handler.command,
            product: manifest.handler.product, directory: manifest.handler.directory, namespace: manifest.namespace,
            settings: [
                "workers.min": "\(workers.min)", "workers.max": "\(workers.max)",
                "workers.concurrency": "\(workers.concurrency)", "workers.idle": workers.idle.short,
                "workers.instance": workers.instance.rawValue, "limits.time": limits.time.short,
                "limits.memory": "\(limits.memory)", "limits.body": "\(limits.body)",
                "limits.waiting": "\(limits.waiting)", "limits.wait": limits.wait.short,
                "retry.attempts": "\(retry.attempts)", "retry.first": retry.first.short,
                "retry.longest": retry.longest.short, "retry.within": retry.within.short,
            ])
    }
}

extension Trigger {
    /// One line for people: the kind and what tells it from others.
    package var summary: String {
        switch self {
        case .http(let trigger):
            "http \(trigger.methods.isEmpty ? "*" : trigger.methods.joined(separator: ",")) \(trigger.path)"
        case .timer(let trigger):
            switch trigger.schedule {
            case .cron(let expression): "timer cron \(expression) \(trigger.zone)"
            case .every(let interval): "timer every \(interval.short)"
            case .at(let time): "timer at \(time)"
            }
        case .file(let trigger):
            "file \(trigger.watch) \(trigger.include.map(\.description).joined(separator: " "))"
        case .topic(let name): "topic \(name)"
        case .state(let prefix): "state \(prefix)"
        }
    }
}

extension Duration {
    /// The longest unit that says it whole, as manifests write it: `10s`, `15m`, `1500ms`.
    package var short: String {
        let milliseconds = self.milliseconds
        for (unit, name) in [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1000, "s")] as [(Int64, String)]
        where milliseconds != 0 && milliseconds % unit == 0 {
            return "\(milliseconds / unit)\(name)"
        }
        return milliseconds == 0 ? "0s" : "\(milliseconds)ms"
    }
}

extension BytesDocument {
    package init(_ bytes: [UInt8]) {
        if let string = String(validating: bytes, as: UTF8.self) {
            text = string
        } else {
            base64 = Data(bytes).base64EncodedString()
        }
    }

    /// `nil` when it holds neither text nor valid base64.
    package var bytes: [UInt8]? {
        text.map { Array($0.utf8) } ?? base64.flatMap { Data(base64Encoded: $0) }.map { Array($0) }
    }
}
