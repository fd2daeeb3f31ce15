public import Apus
import Synchronization
import Wire

/// Calls a function in a test, with its state in memory.
///
///     let host = TestHost(Guestbook())
///     let response = try await host.post("/guestbook", body: #"{"name": "Ada"}"#)
///     #expect(response.status == 201)
///     #expect(host.effects == [.set("entry/1", "…")])
///
/// The rules are those of a real host: effects are committed when the handler has succeeded, as one; a conflict runs it
/// again; a failure applies nothing.
public final class TestHost: Sendable {
    /// A line that the function logged.
    public struct LogLine: Sendable {
        /// How much it matters.
        public var level: LogLevel
        /// The message.
        public var text: String
        /// The fields, in order.
        public var metadata: [(name: String, value: String)]
    }

    private struct Contents {
        var effects: [Effect] = []
        var messages: [SentMessage] = []
        var immediate: [Effect] = []
        var immediateMessages: [SentMessage] = []
        var log: [LogLine] = []
        var runs = 0
        var calls = 0
        var stateFailure: String?
        var timeLimit: Duration = .seconds(10)
        var interference: [@Sendable (TestHost) -> Void] = []
    }

    private let handlers: Handlers
    private let store: MemoryStore
    private let contents = Mutex(Contents())

    /// Creates the host with the function and what is in its state.
    public init(_ function: any Function, state: [String: String] = [:]) {
        handlers = Handlers(function)
        store = MemoryStore(state.mapValues { [UInt8]($0.utf8) })
    }

    // MARK: What the test sees

    /// All that is committed, as text.
    public var state: [String: String] {
        store.contents.withLock { $0.entries.mapValues { String(decoding: $0.value, as: UTF8.self) } }
    }

    /// What the last successful call committed, in the order of its writes.
    public var effects: [Effect] { contents.withLock { $0.effects } }

    /// What the last successful call sent, in its order. Every target exists for it.
    public var messages: [SentMessage] { contents.withLock { $0.messages } }

    /// What blocks of `immediately` have committed so far, of failed calls, too.
    public var immediateEffects: [Effect] { contents.withLock { $0.immediate } }

    /// What blocks of `immediately` have sent so far, of failed calls, too.
    public var immediateMessages: [SentMessage] { contents.withLock { $0.immediateMessages } }

    /// What was logged so far.
    public var log: [LogLine] { contents.withLock { $0.log } }

    /// How often the last call ran its handler; more than once after conflicts.
    public var runs: Int { contents.withLock { $0.runs } }

    // MARK: What the test decides

    /// When set, every state operation fails with this message.
    public var stateFailure: String? {
        get { contents.withLock { $0.stateFailure } }
        set { contents.withLock { $0.stateFailure = newValue } }
    }

    /// How long a call may run, as `limits.time` in the manifest; 10 seconds unless set.
    public var timeLimit: Duration {
        get { contents.withLock { $0.timeLimit } }
        set { contents.withLock { $0.timeLimit = newValue } }
    }

    /// Writes a key, or removes it with `nil`, as another call would.
    public func write(_ key: String, _ value: String?) {
        store.contents.withLock { $0[key] = value.map { [UInt8]($0.utf8) } }
    }

    /// Runs `action` once between the end of a handler and its commit, where another call may come in between: write
    /// there what the handler has read, and it conflicts. Several actions wait for one commit each.
    public func beforeNextCommit(_ action: @escaping @Sendable (TestHost) -> Void) {
        contents.withLock { $0.interference.append(action) }
    }

    // MARK: What a call's link needs

    var snapshot: MemoryStore.Contents { store.contents.withLock { $0 } }

    func record(_ line: LogLine) { contents.withLock { $0.log.append(line) } }

    func recordImmediate(_ committed: Transaction) {
        contents.withLock { contents in
            contents.immediate += committed.effects
            contents.immediateMessages += committed.messages
        }
    }

    func commit(_ apply: (inout MemoryStore.Contents) -> Bool) -> Bool {
        let interference = contents.withLock { $0.interference.isEmpty ? nil : $0.interference.removeFirst() }
        interference?(self)
        return store.contents.withLock { apply(&$0) }
    }

    // MARK: Calls

    /// Runs the handler, again after conflicts, and returns the committed response; `nil` for an acknowledgement.
    func call(_ received: ReceivedCall, body: [[UInt8]] = []) async throws -> TestResponse? {
        let number = contents.withLock { contents in
            contents.runs = 0
            contents.calls += 1
            return contents.calls
        }
        var received = received
        received.invocation = WireID(high: 0x0000_0000_0000_7000, low: 0x8000_0000_0000_0000 | UInt64(number))
        let limit = timeLimit
        received.time = UInt64(limit / .microseconds(1))
        for _ in 1...5 {
            let link = MemoryLink(body: body, host: self)
            let answer = try await run(received, link, within: limit)
            if case .failure(let permanent, let message) = answer {
                throw CallFailed(permanent ? .permanently : .failed, message)
            }
            guard let committed = link.commit() else { continue }
            contents.withLock { contents in
                contents.effects = committed.effects
                contents.messages = committed.messages
            }
            guard case .response(let response) = answer else { return nil }
            return try await read(response, link)
        }
        throw CallFailed(.conflicted, "others changed what the handler had read, in each of 5 runs")
    }

    private func run(
        _ call: ReceivedCall, _ link: MemoryLink, within limit: Duration
    ) async throws -> HandlerAnswer {
        contents.withLock { $0.runs += 1 }
        let context = Context(function: "test", call: call, arrival: .now, link: link)
        return try await withThrowingTaskGroup(of: HandlerAnswer?.self) { [handlers] group in
            group.addTask { await handlers.answer(call.content, in: context, link) }
            group.addTask {
                try await Task.sleep(for: limit)
                return nil
            }
            defer { group.cancelAll() }
            guard let first = try await group.next(), let answer = first else {
                throw CallFailed(.timedOut, "the handler still ran after \(limit)")
            }
            return answer
        }
    }

    private func read(_ response: HTTPResponse, _ link: MemoryLink) async throws -> TestResponse {
        link.enter(.streaming)
        defer { link.enter(.over) }
        switch response.body {
        case .bytes(let bytes): return TestResponse(response, bytes)
        case .stream(let produce):
            try await produce(ResponseWriter(link))
            return TestResponse(response, link.written)
        }
    }
}

/// Why a call has no answer.
public struct CallFailed: Error, Sendable, CustomStringConvertible {
    /// The kind of failure.
    public enum Reason: Sendable {
        /// The handler threw; a host would retry an event.
        case failed
        /// The handler threw a `PermanentError`.
        case permanently
        /// It ran past the time limit.
        case timedOut
        /// Each of its five runs met a conflict.
        case conflicted
    }

    /// The kind of failure.
    public var reason: Reason
    /// What happened.
    public var description: String

    init(_ reason: Reason, _ description: String) {
        self.reason = reason
        self.description = description
    }
}
