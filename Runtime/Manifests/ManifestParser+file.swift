extension ManifestParser {
    func file(_ value: Value) -> Located<Trigger>? {
        let keys = ["watch", "include", "exclude", "events", "settle", "existing"]
        guard let mapping = value.mapping(keys: keys) else { return nil }
        let watch = mapping.required("watch", "give the folder, such as ./inbox")
        let include = mapping["include"].map(globs)
        let exclude = mapping["exclude"].map(globs)
        let events = mapping["events"]?.distinctItems("a list of events") { $0.choice(FileTrigger.Kind.self) }
        let settle = mapping["settle"].flatMap { $0.duration(from: .zero, to: .seconds(3600)) }
        let existing = mapping["existing"].flatMap { $0.choice(FileTrigger.Existing.self) }
        guard let watch, let path = path(watch) else { return nil }
        if !handlers.isFolder(path) {
            watch.warn(
                handlers.exists(path)
                    ? "\(path) is no folder; watch that of the file, and name it in 'include'; else no event comes"
                    : "there is no folder \(path); make it, or correct the path; until then the host waits for it")
        }
        var trigger = FileTrigger(watch: path, include: include ?? [], exclude: exclude ?? [])
        trigger.events = events.map(Set.init) ?? trigger.events
        trigger.settle = settle ?? trigger.settle
        trigger.existing = existing ?? trigger.existing
        return located(.file(trigger), watch)
    }

    private func globs(_ value: Value) -> [Glob] {
        let patterns = value.distinctItems("a list of patterns") { value -> String? in
            guard let text = value.text("a pattern such as \"**/*.csv\"") else { return nil }
            guard let problem = Glob.problem(in: text) else { return text }
            value.refuse("'\(text.prefix(80))' \(problem)")
            return nil
        }
        return (patterns ?? []).map { Glob($0) }
    }
}
