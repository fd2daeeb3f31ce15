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
            triggers: function.manifest.triggers.map(\.summary), pool: PoolDocument(function.pool.snapshot),
            breaker: function.breaker.description, outcomes: statistics.outcomes, running: statistics.running,
            queue: QueueDocument(queue),
            last: statistics.last.map(EndedDocument.init))
    }
}

extension CircuitBreaker.State? {
    fileprivate var description: String {
        switch self {
        case nil: "off"
        case .closed: "closed"
        case .open: "open"
        case .halfOpen: "half-open"
        }
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
                "workers.concurrency": "\(workers.concurrency)", "workers.idle": Quantity.text(workers.idle),
                "workers.instance": workers.instance.rawValue,
                "workers.retire.invocations": "\(workers.retireInvocations)",
                "workers.retire.age": Quantity.text(workers.retireAge),
                "workers.retire.memory": workers.retireMemory.map { Quantity.text(size: $0) } ?? "none",
                "workers.breaker": workers.breaker.map(\.summary) ?? "off", "limits.time": Quantity.text(limits.time),
                "limits.memory": Quantity.text(size: limits.memory), "limits.processes": "\(limits.processes)",
                "limits.body": Quantity.text(size: limits.body),
                "limits.waiting": "\(limits.waiting)", "limits.wait": Quantity.text(limits.wait),
                "limits.queue": "\(limits.queue)", "limits.queueSize": Quantity.text(size: limits.queueSize),
                "on.success": manifest.destinations.success ?? "none",
                "on.failure": manifest.destinations.failure ?? "none",
                "retry.attempts": "\(retry.attempts)", "retry.first": Quantity.text(retry.first),
                "retry.longest": Quantity.text(retry.longest), "retry.within": Quantity.text(retry.within),
                "sandbox.network": manifest.sandbox.enabled ? manifest.sandbox.network.rawValue : "off",
                "sandbox.read": manifest.sandbox.read.joined(separator: " "),
                "sandbox.write": manifest.sandbox.write.joined(separator: " "),
            ],
            sandbox: SandboxSupport.machine.report(on: manifest, in: .machine).map {
                ProtectionDocument(
                    protection: $0.protection.rawValue, active: $0.isActive, wanted: $0.isWanted, details: $0.details)
            })
    }
}

extension BreakerPolicy {
    fileprivate var summary: String { "\(failures) % of \(calls), rest \(Quantity.text(rest))" }
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
            case .every(let interval): "timer every \(Quantity.text(interval))"
            case .at(let time): "timer at \(time)"
            }
        case .file(let trigger):
            (["file", trigger.watch] + trigger.include.map(\.description)).joined(separator: " ")
        case .topic(let trigger):
            trigger.filter.map { "topic \(trigger.name) with \($0)" } ?? "topic \(trigger.name)"
        case .state(let trigger): "state \(trigger.namespace) \(trigger.prefix)*"
        }
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
