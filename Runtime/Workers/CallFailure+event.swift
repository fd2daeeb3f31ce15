import Events

extension CallFailure {
    /// What a response means for the event that it answers; `nil`: the event was taken.
    ///
    /// 4xx says that the event is at fault, so that another try is useless, except for the statuses by which a server
    /// says that the moment is. Redirections are not followed
    /// (https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/http-webhook.md §2.2).
    ///
    /// - Parameter who: for the log, such as `the server`.
    convenience init?(of who: String, answering status: Int, _ headers: [HeaderField], now: WallTime) {
        if (200...299).contains(status) { return nil }
        let passing = [408, 409, 425, 429].contains(status) || status >= 500
        self.init(
            .handlerFailed, "\(who) answered the event with status \(status)", permanent: !passing,
            retryAfter: passing ? headers.first("Retry-After").flatMap { RetryAfter($0, now: now)?.delay } : nil)
    }
}
