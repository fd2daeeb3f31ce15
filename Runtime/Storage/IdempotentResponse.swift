package import Events

/// What answered the first request with an idempotency key, kept for its repeats.
package struct IdempotentResponse: Sendable, Hashable {
    package var function: String
    /// Unique within the function until the response expires.
    package var key: String
    /// Of the request that it answered; a repeat has the same.
    package var fingerprint: [UInt8]
    /// The one whose answer it is.
    package var invocation: InvocationID
    package var status: Int
    package var headers: [HeaderField]
    package var body: [UInt8]
    /// In place of a response: a path and query of this host whose response, to `GET`, is the one to give.
    package var redirect: String?
    /// From then on the key is free again.
    package var expires: WallTime

    package init(
        function: String, key: String, fingerprint: [UInt8], invocation: InvocationID, status: Int,
        headers: [HeaderField] = [], body: [UInt8] = [], redirect: String? = nil, expires: WallTime
    ) {
        self.function = function
        self.key = key
        self.fingerprint = fingerprint
        self.invocation = invocation
        self.status = status
        self.headers = headers
        self.body = body
        self.redirect = redirect
        self.expires = expires
    }
}
