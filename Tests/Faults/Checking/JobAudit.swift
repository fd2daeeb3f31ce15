/// An event that a client has put into the queue.
package struct Job: Sendable, Codable, Hashable {
    package var id: String
    package var fate: Fate
    /// What became of the wish to cancel it; `nil` where nobody wished that.
    package var cancelled: Fate?

    package init(_ id: String, _ fate: Fate, cancelled: Fate? = nil) {
        self.id = id
        self.fate = fate
        self.cancelled = cancelled
    }
}

/// How an invocation of the queue ended.
package enum JobEnd: String, Sendable, Codable {
    case done, dead, cancelled
    /// It still waits or runs.
    case open
}

/// What was accepted ends in exactly one way, and its effects are there once if it is done, else not at all.
package enum JobAudit {
    /// - Parameters:
    ///   - ends: of each job that the queue knows; more than one is a violation.
    ///   - effects: how often each job's effect was applied.
    package static func check(_ jobs: [Job], ends: [String: [JobEnd]], effects: [String: Int]) -> Verdict {
        var verdict = Verdict(fates: jobs.map(\.fate))
        for job in jobs {
            let ends = ends[job.id] ?? []
            let effect = effects[job.id] ?? 0
            let what = "job \(job.id)"
            if effect > 1 { verdict.found(.doubled, "the effect of \(what) is there \(effect) times") }
            if ends.count > 1 {
                verdict.found(.doubled, "\(what) is in the queue \(ends.count) times: \(ends.map(\.rawValue))")
            }
            guard let end = ends.first else {
                if job.fate == .acknowledged {
                    verdict.found(.lost, "\(what) was accepted, and the queue knows nothing")
                }
                if effect > 0 { verdict.found(.violation, "\(what) is not in the queue, and its effect is there") }
                continue
            }
            if job.fate == .refused { verdict.found(.violation, "\(what) was refused, and it is \(end.rawValue)") }
            judge(what, job, end, effect, &verdict)
        }
        return verdict
    }

    private static func judge(_ what: String, _ job: Job, _ end: JobEnd, _ effect: Int, _ verdict: inout Verdict) {
        switch end {
        case .open: verdict.found(.violation, "\(what) has not ended")
        case .done:
            if effect == 0 { verdict.found(.lost, "\(what) is done, and its effect is not there") }
            if job.cancelled == .acknowledged {
                verdict.found(.violation, "\(what) is done, and its caller was told that it is cancelled")
            }
        case .dead, .cancelled:
            if effect > 0 { verdict.found(.violation, "\(what) is \(end.rawValue), and its effect is there") }
            if end == .cancelled, job.cancelled == nil || job.cancelled == .refused {
                verdict.found(.violation, "\(what) is cancelled, and nobody has cancelled it")
            }
        }
    }
}
