import Events
import Workers

// What a program that uses the API can get wrong, in words for its author.
extension Problem {
    static let unauthorized = Problem(
        status: 401, code: "unauthorized", title: "The token is not valid",
        detail: "send 'Authorization: Bearer' with the APUS_TOKEN of the process; it ends with the process",
        headers: [HeaderField("WWW-Authenticate", "Bearer")])

    static let unnamed = Problem(
        status: 400, code: "no-invocation", title: "The request does not name its invocation",
        detail: "this process may run several; send the header Apus-Invocation with the id of the one that you act for")

    static let conflict = Problem(
        status: 409, code: "conflicted", title: "Others changed the same state",
        detail: "nothing of this request was applied; try again", retryAfter: 1)

    /// - Parameter id: as the request names it.
    static func over(_ id: InvocationID?) -> Problem {
        Problem(
            status: 410, code: "invocation-over", title: "The invocation does not run here",
            detail: "it has answered or ended, and its effects are complete, or it never ran in this worker",
            invocation: id)
    }

    init(_ refusal: JoinedCall.Refusal, of id: InvocationID) {
        switch refusal {
        case .over: self = .over(id)
        case .tooMany:
            self.init(
                status: 503, code: "too-many-waiting", title: "Too many requests of this invocation wait",
                invocation: id, retryAfter: 1)
        }
    }

    init(_ error: StateError) {
        switch error.code {
        case .invalid:
            self.init(status: 422, code: "invalid", title: "This cannot be done", detail: error.message)
        case .notANumber:
            self.init(status: 409, code: "not-a-number", title: "The value cannot grow", detail: error.message)
        case .unknownTarget:
            self.init(
                status: 404, code: "no-target", title: "Nobody gets what is sent there", detail: error.message)
        case .chainTooLong:
            self.init(
                status: 422, code: "chain-too-long", title: "Too many messages led to this one",
                detail: error.message)
        case .queueFull:
            self.init(
                status: 503, code: "queue-full", title: "The receiver's queue is full", detail: error.message,
                retryAfter: 5)
        case .unavailable:
            self.init(
                status: 503, code: "unavailable", title: "The state cannot be reached now", detail: error.message,
                retryAfter: 1)
        }
    }
}
