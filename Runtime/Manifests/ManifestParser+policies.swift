import Events

extension ManifestParser {
    func workers(_ value: Value?) -> WorkerPolicy {
        var policy = WorkerPolicy()
        let keys = ["min", "max", "concurrency", "idle", "instance", "retire", "breaker"]
        guard let mapping = value?.mapping(keys: keys) else { return policy }
        policy.min = mapping["min"].flatMap { $0.integer(in: 0...10_000) } ?? policy.min
        policy.max = mapping["max"].flatMap { $0.integer(in: 1...10_000) } ?? policy.max
        policy.concurrency = mapping["concurrency"].flatMap { $0.integer(in: 1...10_000) } ?? policy.concurrency
        policy.idle = mapping["idle"].flatMap { $0.duration(from: .zero) } ?? policy.idle
        policy.instance = mapping["instance"].flatMap { $0.choice(WorkerPolicy.Instance.self) } ?? policy.instance
        let retire = mapping["retire"]?.mapping(keys: ["invocations", "age", "memory"])
        policy.retireInvocations =
            retire?["invocations"].flatMap { $0.integer(in: 1...1_000_000_000) } ?? policy.retireInvocations
        policy.retireAge = retire?["age"].flatMap { $0.duration(from: .seconds(1)) } ?? policy.retireAge
        policy.retireMemory = retire?["memory"].flatMap { $0.size(from: 1 << 20) }
        policy.breaker = breaker(mapping["breaker"])
        return policy
    }

    private func breaker(_ value: Value?) -> BreakerPolicy? {
        var policy = BreakerPolicy()
        guard let value else { return policy }
        if value.isText("off") { return nil }
        guard !value.isScalar else {
            value.expected("'off' or a mapping with keys such as failures, calls, rest")
            return policy
        }
        guard let mapping = value.mapping(keys: ["failures", "calls", "rest"]) else { return policy }
        policy.failures = mapping["failures"].flatMap { $0.integer(in: 1...100) } ?? policy.failures
        policy.calls = mapping["calls"].flatMap { $0.integer(in: 1...10_000) } ?? policy.calls
        policy.rest = mapping["rest"].flatMap { $0.duration(to: .seconds(3600)) } ?? policy.rest
        return policy
    }

    func limits(_ value: Value?) -> Limits {
        var limits = Limits()
        guard let mapping = value?.mapping(keys: Limits.keys) else { return limits }
        limits.time = mapping["time"].flatMap { $0.duration() } ?? limits.time
        limits.memory = mapping["memory"].flatMap { $0.size(from: Limits.leastMemory) } ?? limits.memory
        limits.processes = mapping["processes"].flatMap { $0.integer(in: 1...100_000) } ?? limits.processes
        limits.body = mapping["body"].flatMap { $0.size(from: 1) } ?? limits.body
        limits.waiting = mapping["waiting"].flatMap { $0.integer(in: 1...1_000_000) } ?? limits.waiting
        limits.wait = mapping["wait"].flatMap { $0.duration() } ?? limits.wait
        limits.queue = mapping["queue"].flatMap { $0.integer(in: 1...1_000_000_000) } ?? limits.queue
        limits.queueSize = mapping["queueSize"].flatMap { $0.size(from: 1) } ?? limits.queueSize
        return limits
    }

    func retry(_ value: Value?) -> RetryPolicy {
        var policy = RetryPolicy()
        guard let mapping = value?.mapping(keys: ["attempts", "first", "longest", "within"]) else { return policy }
        policy.attempts = mapping["attempts"].flatMap { $0.integer(in: 1...1000) } ?? policy.attempts
        policy.first = mapping["first"].flatMap { $0.duration() } ?? policy.first
        policy.longest = mapping["longest"].flatMap { $0.duration() } ?? policy.longest
        policy.within = mapping["within"].flatMap { $0.duration() } ?? policy.within
        return policy
    }

    /// And what they name, for the check that somebody is there.
    func destinations(_ value: Value?) -> (Destinations, targets: [Located<String>]) {
        let mapping = value?.mapping(keys: ["success", "failure"])
        func target(_ key: String) -> Located<String>? {
            guard let value = mapping?[key], let name = topic(value) else { return nil }
            return Located(value: name, report: report, position: value.position)
        }
        var destinations = Destinations()
        let (success, failure) = (target("success"), target("failure"))
        destinations.success = success?.value
        destinations.failure = failure?.value
        return (destinations, [success, failure].compactMap(\.self))
    }

    func sandbox(_ entry: Mapping.Entry?) -> Sandbox {
        var sandbox = Sandbox()
        guard let entry else { return sandbox }
        if entry.value.isText("off") {
            sandbox.enabled = false
            return sandbox
        }
        guard !entry.value.isScalar else {
            entry.value.expected("'off' or a mapping with keys such as network, read, write")
            return sandbox
        }
        guard let mapping = entry.value.mapping(keys: ["network", "read", "write"]) else { return sandbox }
        sandbox.network = mapping["network"].flatMap { $0.choice(Sandbox.Network.self) } ?? sandbox.network
        sandbox.read = mapping["read"]?.distinctItems("a list of paths", granted) ?? []
        sandbox.write = mapping["write"]?.distinctItems("a list of paths", granted) ?? []
        return sandbox
    }

    /// A path that there is: a rule for one that comes later could not hold.
    private func granted(_ value: Value) -> String? {
        guard let path = path(value) else { return nil }
        if !handlers.exists(path) { value.refuse("there is no \(value.found); make it first, or correct the path") }
        return path
    }

    func environment(_ value: Value?) -> [String: String] {
        guard let mapping = value?.mapping("a mapping from names to values, such as CURRENCY: EUR") else { return [:] }
        var environment: [String: String] = [:]
        for entry in mapping.entries {
            guard isVariable(entry.key) else {
                report.add(
                    entry.position,
                    "'\(entry.key)' is no variable; use letters, digits and '_', and no digit first")
                continue
            }
            guard !entry.key.hasPrefix("APUS_") else {
                report.add(entry.position, "'\(entry.key)' is reserved: names that begin with APUS_ are the host's")
                continue
            }
            environment[entry.key] = entry.value.textAsWritten("text")
        }
        return environment
    }

    /// IEEE Std 1003.1 §3.216 (Name), lowercase letters included.
    private func isVariable(_ name: String) -> Bool {
        guard let first = name.utf8.first, !(0x30...0x39).contains(first) else { return false }
        return name.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_") }
    }
}
