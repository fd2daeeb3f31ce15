import Events

/// One committed write of a followed key, as the event that its followers get.
struct StateChange {
    /// Events that one commit may cause, one for each change and function.
    static let most = 10_000

    var namespace: String
    var key: StateKey
    /// `nil` when it was deleted.
    var value: [UInt8]?
    /// Of the commit.
    var version: Int64
    /// What the key had before; `nil` when it is new.
    var previous: Int64?
    /// Of what has written it: how many events led there.
    var depth: Int

    /// A namespace has one change with each key and version, so that both together are the id.
    func event(at time: WallTime) -> Event {
        var extensions = ["version": String(version), Event.depthAttribute: String(depth + 1)]
        if let previous { extensions["previous"] = String(previous) }
        return Event(
            id: "\(key)@\(version)", source: Event.stateSource + namespace,
            type: value == nil ? Event.stateDeleted : Event.stateSet, subject: key.text, time: time,
            dataContentType: value == nil ? nil : "application/octet-stream", extensions: extensions,
            data: value ?? [])
    }

    /// One event for each follower. Those of one function and key are a line: they run in the order of their commits.
    func rows(for followers: [StateFollowers.Follower], at time: WallTime) -> [QueueRow] {
        let event = event(at: time)
        return followers.map { follower in
            QueueRow(
                NewInvocation(
                    function: follower.function, kind: .state, trigger: follower.trigger, event: event, due: time,
                    line: "\(follower.function)\(event.source)/\(key)", mayRepeat: false))
        }
    }

    /// - Throws: when what has written it is the end of a chain.
    func checkDepth() throws {
        guard depth < Event.deepestChain else {
            throw StateError(
                .chainTooLong,
                "the write of '\(key)' in the namespace '\(namespace)' is the end of a chain of \(Event.deepestChain) "
                    + "events, each caused by the handler of the one before; a function that follows the keys that it "
                    + "writes ends here")
        }
    }
}
