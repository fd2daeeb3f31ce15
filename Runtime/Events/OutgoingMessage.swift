/// What a handler sends, before the host knows who gets it.
package struct OutgoingMessage: Sendable, Hashable {
    /// A function's name or a topic.
    package var target: String
    package var data: [UInt8]
    package var dataContentType: String?
    /// The CloudEvents attributes that the sender has chosen; the host gives the others.
    package var attributes: [HeaderField]
    /// It is delivered when so much time has passed, or later.
    package var after: Duration

    package init(
        target: String, data: [UInt8], dataContentType: String? = nil, attributes: [HeaderField] = [],
        after: Duration = .zero
    ) {
        self.target = target
        self.data = data
        self.dataContentType = dataContentType
        self.attributes = attributes
        self.after = after
    }
}
