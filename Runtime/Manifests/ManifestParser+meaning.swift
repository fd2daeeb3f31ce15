import Events

extension ManifestParser {
    /// What each key allows and the keys together do not. `contract` is `nil` when the handler could not be read.
    func checkMeaning(
        of manifest: Manifest, contract: Handler.Contract?, triggers: [Located<Trigger>], in mapping: Mapping
    ) {
        let workers = mapping["workers"]
        if manifest.workers.min > manifest.workers.max,
            let value = workers?.child("min") ?? workers?.child("max") ?? workers
        {
            value.refuse(
                "more workers at least (\(manifest.workers.min)) than at most (\(manifest.workers.max)); "
                    + "raise 'max' or lower 'min'")
        }
        if let contract, contract.isPerCall, manifest.workers.concurrency > 1 {
            (workers?.child("concurrency") ?? workers)?.refuse(
                "contract \(contract.rawValue) runs one invocation a process; leave it out, and raise 'max' instead")
        }
        if contract == .lambda, manifest.workers.concurrency > 1 {
            (workers?.child("concurrency") ?? workers)?.refuse(
                "a Lambda runtime asks for one event at a time; leave it out, and raise 'max' instead")
        }
        if contract == .http, manifest.environment["PORT"] != nil {
            (mapping["environment"]?.child("PORT") ?? mapping["environment"])?.refuse(
                "the host chooses the PORT on which a server of contract http listens; leave it out")
        }
        checkRetry(manifest.retry, mapping["retry"])
        checkStates(triggers)
        for trigger in triggers {
            guard case .file(let file) = trigger.value,
                manifest.sandbox.write.contains(where: {
                    AbsolutePath.covers($0, file.watch) || AbsolutePath.covers(file.watch, $0)
                })
            else { continue }
            report.add(
                trigger.position,
                "the function may write here (sandbox.write) and would call itself; watch another folder")
        }
    }

    /// A change reaches a function once, so that a trigger within another one has nothing to say.
    private func checkStates(_ triggers: [Located<Trigger>]) {
        var earlier: [(trigger: StateTrigger, position: Position)] = []
        for located in triggers {
            guard case .state(let trigger) = located.value else { continue }
            let wider = earlier.first { $0.trigger.covers(trigger) || trigger.covers($0.trigger) }
            if let wider {
                report.add(
                    located.position,
                    "the keys of this trigger and of the one in line \(wider.position.line) overlap, and a change is "
                        + "delivered once; leave the longer prefix out")
            }
            earlier.append((trigger, located.position))
        }
    }

    private func checkRetry(_ retry: RetryPolicy, _ value: Value?) {
        if retry.longest < retry.first, let key = value?.child("longest") ?? value?.child("first") ?? value {
            key.refuse(
                "the longest delay (\(Quantity.text(retry.longest))) is shorter than the first "
                    + "(\(Quantity.text(retry.first)))")
        }
        if retry.attempts > 1, retry.within < retry.first,
            let key = value?.child("within") ?? value?.child("first") ?? value
        {
            key.refuse(
                "no second attempt fits: the first delay is up to \(Quantity.text(retry.first)), and all attempts "
                    + "have \(Quantity.text(retry.within)); lengthen 'within', or write 'attempts: 1'")
        }
    }
}

extension StateTrigger {
    fileprivate func covers(_ other: StateTrigger) -> Bool {
        namespace == other.namespace && ExactText(other.prefix).hasPrefix(ExactText(prefix))
    }
}
