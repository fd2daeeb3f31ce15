package import Events
import Logging
import Manifests
package import Storage
import Workers

/// Tells a destination how a queued invocation ended: `on: { success:, failure: }` of its function. Pure.
struct OutcomeNotice: Sendable {
    /// Bytes of the event's data and of the result that go along; what is longer is left out, and the notice says so.
    static let mostData = 256 << 10

    let leased: LeasedInvocation
    let settlement: Settlement

    init(of leased: LeasedInvocation, ended settlement: Settlement) {
        self.leased = leased
        self.settlement = settlement
    }

    /// Where it goes to; `nil` when it does not end the invocation or nobody wants to hear of it.
    func target(in destinations: Destinations) -> String? {
        switch settlement {
        case .done: destinations.success
        case .dead: destinations.failure
        case .retry, .postponed: nil
        }
    }

    /// One for each receiver; `nil` at the end of a chain of messages: a loop must come to an end.
    func invocations(
        to target: String, listeners: Subscriptions.Listeners, now: WallTime
    ) -> [NewInvocation]? {
        let depth = leased.invocation.event.extensions[Event.depthAttribute].flatMap { Int($0) } ?? 0
        guard depth < Event.deepestChain else { return nil }
        let id = leased.invocation.id
        let event = Event(
            id: "\(id)-\(outcome.rawValue)", source: "/functions/\(leased.invocation.function)", type: type,
            subject: id.description, time: now, dataContentType: "application/json",
            extensions: [Event.depthAttribute: String(depth + 1), Outbox.targetAttribute: target],
            data: json)
        return listeners.receivers(of: event).map {
            NewInvocation(
                function: $0.function, kind: .topic, trigger: $0.trigger, event: event, due: now, mayRepeat: false)
        }
    }

    private var type: String {
        if case .done = settlement { "apus.invocation.succeeded" } else { "apus.invocation.failed" }
    }

    private var outcome: Outcome {
        switch settlement {
        case .done: .succeeded
        case .dead(let outcome, _), .retry(_, let outcome, _), .postponed(_, let outcome, _): outcome
        }
    }

    // MARK: The data

    private var json: [UInt8] {
        let invocation = leased.invocation
        return JSONWriter.object { json in
            json.field("invocation", invocation.id)
            json.field("function", invocation.function)
            json.field("trigger", invocation.trigger)
            json.field("attempts", leased.attempt)
            json.field("outcome", outcome.rawValue)
            if case .dead(_, let reason) = settlement { json.field("reason", reason) }
            json.field("event", object: { Self.write(invocation.event.attributes, to: &$0) })
            if let request = invocation.request {
                let line = [HeaderField("method", request.method), HeaderField("path", request.path)]
                json.field("request", object: { Self.write(line, to: &$0) })
            }
            Self.write(invocation.event.data, as: "data", to: &json)
            if case .done(let result?) = settlement { json.field("result", object: { Self.write(result, to: &$0) }) }
        }
    }

    private static func write(_ fields: [HeaderField], to json: inout JSONWriter) {
        for field in fields { json.field(text: field.name, field.value) }
    }

    private static func write(_ result: InvocationResult, to json: inout JSONWriter) {
        if let status = result.status { json.field("status", status) }
        if !result.headers.isEmpty {
            json.field(
                "headers",
                array: { json in
                    for field in result.headers {
                        json.object {
                            write([HeaderField("name", field.name), HeaderField("value", field.value)], to: &$0)
                        }
                    }
                })
        }
        if result.isCut { json.field("bodyIsLeftOut", true) } else { write(result.body, as: "body", to: &json) }
    }

    /// As text where the bytes are UTF-8, as base64 otherwise, as CloudEvents does it
    /// (https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md#31-handling-of-data).
    private static func write(_ bytes: [UInt8], as name: String, to json: inout JSONWriter) {
        if bytes.isEmpty { return }
        if bytes.count > mostData {
            json.name(text: name + "IsLeftOut")
            return json.bool(true)
        }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            return json.field(text: name + "_base64", CloudEventJSON.base64(bytes))
        }
        json.field(text: name, text)
    }
}

extension InvocationEngine {
    /// What tells the function's destinations that the invocation ends as `settlement` says.
    func notices(
        that settlement: Settlement, ends leased: LeasedInvocation, of manifest: Manifest
    ) -> [NewInvocation] {
        let notice = OutcomeNotice(of: leased, ended: settlement)
        guard let target = notice.target(in: manifest.destinations) else { return [] }
        let listeners = subscriptions.listeners(to: target)
        if let invocations = notice.invocations(to: target, listeners: listeners, now: .now()) { return invocations }
        logger.error(
            "'\(target)' is not told of the end of this invocation: a chain of \(Event.deepestChain) messages led to it",
            metadata: ["function": "\(manifest.name)", "invocation": "\(leased.invocation.id)"])
        return []
    }

    /// Whether all who are told of outcomes of the function can take one more.
    func hasRoomForNotices(of manifest: Manifest) -> Bool {
        let targets = [manifest.destinations.success, manifest.destinations.failure].compactMap(\.self)
        return targets.allSatisfy { target in
            subscriptions.listeners(to: target).functions.allSatisfy {
                $0 == manifest.name || store.hasRoom(for: $0)
            }
        }
    }

    /// Ends an asynchronous invocation, wherever it is on its way. The row is settled first, so that an attempt that
    /// commits at the same moment has lost its lease.
    package func cancel(_ id: InvocationID, reason: String) async throws -> Cancellation {
        let cancellation = try await store.cancel(id, reason: reason)
        if cancellation == .running { running.end(id, because: reason) }
        endings.ended(id)
        // What was behind it in its line may be due.
        queueChanged()
        return cancellation
    }
}
