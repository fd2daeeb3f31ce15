import Engine
package import Events
import FoundationEssentials
package import Manifests
package import Storage

/// What `POST /v1/functions/{name}/invocations` asks for.
package struct InvocationRequest: Sendable, Codable, Hashable {
    package struct EventFields: Sendable, Codable, Hashable {
        package var id: String?
        package var source: String?
        package var type: String?
        package var subject: String?
        package var time: String?
        package var datacontenttype: String?
        package var extensions: [String: String]?

        enum CodingKeys: String, CodingKey, CaseIterable {
            case id, source, type, subject, time, datacontenttype, extensions
        }

        package init() {}
    }

    /// The function's first trigger when it is missing, or `http` when there is a method or a path.
    package var trigger: TriggerKind?
    package var method: String?
    /// Percent-encoded; may have a query. Missing is fine where the function's route needs no parameter.
    package var path: String?
    package var headers: [String: String]?
    /// The body of a request or the data of an event, as text …
    package var data: String?
    /// … or as base64.
    package var base64: String?
    package var event: EventFields?
    /// Put the request or the event into the queue and answer at once.
    package var async: Bool?
    /// Only with `async`: not before so much time has passed, such as `10s` …
    package var after: String?
    /// … or not before this time of RFC 3339.
    package var at: String?
    /// Only with `async`: the urgency of RFC 9218, 0 to 7; 0 runs first, and 3 is usual.
    package var priority: Int?

    enum CodingKeys: String, CodingKey, CaseIterable {
        case trigger, method, path, headers, data, base64, event, async, after, at, priority
    }

    package init() {}
}

extension InvocationRequest {
    /// - Throws: a `Problem` that says what is wrong with it; a name that is not known, too, which might have meant
    ///   something.
    package init(json: [UInt8]) throws(Problem) {
        do {
            let data = Data(json)
            let names = try JSONDecoder().decode(Names.self, from: data)
            try Self.check(names.all, CodingKeys.self, "an invocation")
            try Self.check(names.ofEvent, EventFields.CodingKeys.self, "its event")
            self = try JSONDecoder().decode(Self.self, from: data)
        } catch let problem as Problem {
            throw problem
        } catch DecodingError.typeMismatch(_, let context), DecodingError.valueNotFound(_, let context),
            DecodingError.dataCorrupted(let context)
        {
            let place = context.codingPath.map(\.stringValue).joined(separator: ".")
            let part = place.isEmpty ? "the JSON" : "'\(place)'"
            throw .badRequest("\(part) is not that of an invocation: \(context.debugDescription)")
        } catch {
            throw .badRequest("the JSON is not that of an invocation: \(error)")
        }
    }

    /// What an invocation in JSON has, known or not.
    private struct Names: Decodable {
        private struct Name: CodingKey {
            let stringValue: String
            var intValue: Int? { nil }

            init(stringValue: String) { self.stringValue = stringValue }
            init?(intValue: Int) { nil }
        }

        let all: [String]
        let ofEvent: [String]

        init(from decoder: any Decoder) throws {
            let object = try decoder.container(keyedBy: Name.self)
            all = object.allKeys.map(\.stringValue)
            // What is no object is found out when it is decoded.
            let event = try? object.nestedContainer(keyedBy: Name.self, forKey: Name(stringValue: "event"))
            ofEvent = event?.allKeys.map(\.stringValue) ?? []
        }
    }

    private static func check<Key: CodingKey & CaseIterable>(
        _ names: [String], _: Key.Type, _ whole: String
    ) throws {
        let known = Key.allCases.map(\.stringValue)
        guard let other = names.sorted().first(where: { !known.contains($0) }) else { return }
        let near = Suggestion.phrase(for: other, among: known)
        let all = known.joined(separator: ", ")
        throw Problem.badRequest("'\(other.prefix(100))' is nothing that \(whole) has\(near); it has: \(all)")
    }
}

/// What is to be done, decided from the request and the manifest alone.
package enum InvocationPlan: Sendable {
    case request(RequestHead, [UInt8])
    case event(TriggerKind, Event)
    case enqueue(NewEvent)

    package struct NewEvent: Sendable, Hashable {
        package var kind: TriggerKind
        /// Which trigger of the function it stands for, such as `digest/timer/0`.
        package var trigger: String
        package var event: Event
        /// Of an HTTP request; its body is the event's data.
        package var request: RequestHead?
        package var due: WallTime
        package var urgency = NewInvocation.usualUrgency
        /// Whether whoever asks has chosen the event's id.
        package var mayRepeat = false

        package func invocation(of function: String, id: InvocationID) -> NewInvocation {
            NewInvocation(
                id: id, function: function, kind: kind, trigger: trigger, event: event, request: request, due: due,
                urgency: urgency, mayRepeat: mayRepeat)
        }
    }
}

extension InvocationRequest {
    package func plan(for manifest: Manifest, id: InvocationID, now: WallTime) throws(Problem) -> InvocationPlan {
        let kind = try chosenTrigger(of: manifest)
        guard let data = BytesDocument(text: data ?? (base64 == nil ? "" : nil), base64: base64).bytes else {
            throw .badInvocation("'base64' is not base64")
        }
        let timing = try timing(now: now)
        if kind == .http {
            let head = try requestHead(for: manifest, hasData: !data.isEmpty)
            guard async == true else { return .request(head, data) }
            return .enqueue(
                .init(queuing: head, data, of: manifest.name, id: id, now: now, due: timing.due, timing.urgency))
        }
        let index = try chosenIndex(of: kind, in: manifest)
        let event = try makeEvent(kind, manifest, index: index, id: id, now: now, data: data)
        guard async == true else { return .event(kind, event) }
        return .enqueue(
            .init(
                kind: kind, trigger: "\(manifest.name)/\(kind.rawValue)/\(index)", event: event, due: timing.due,
                urgency: timing.urgency, mayRepeat: self.event?.id != nil))
    }

    private func timing(now: WallTime) throws(Problem) -> (due: WallTime, urgency: Int) {
        guard async == true || (after == nil && at == nil && priority == nil) else {
            throw .badInvocation("'after', 'at' and 'priority' are for what is queued; add 'async'")
        }
        let urgency = priority ?? NewInvocation.usualUrgency
        guard NewInvocation.urgencies.contains(urgency) else {
            throw .badInvocation("'priority' is 0 to 7, and 0 runs first; not \(urgency)")
        }
        do throws(Postponement.Refusal) {
            return (try Postponement(after: after, at: at).due(now: now), urgency)
        } catch {
            throw .badInvocation(reason(for: error))
        }
    }

    private func reason(for refusal: Postponement.Refusal) -> String {
        switch refusal {
        case .twice: "give 'after' or 'at', not both"
        case .noDuration: "'after' is a duration such as 10s or 1h30m, not '\(after ?? "")'"
        case .noTime: "'at' is a time of RFC 3339 such as 2026-12-24T18:00:00+01:00, not '\(at ?? "")'"
        case .tooLong: "an invocation can be put off for 366 days at most"
        }
    }

    private func chosenTrigger(of manifest: Manifest) throws(Problem) -> TriggerKind {
        let kinds = manifest.triggers.map(\.kind)
        guard let kind = trigger ?? (method != nil || path != nil ? .http : kinds.first) else {
            throw .badInvocation("the function '\(manifest.name)' has no trigger")
        }
        guard kinds.contains(kind) else {
            let known = Set(kinds.map(\.rawValue)).sorted().joined(separator: ", ")
            throw .badInvocation("the function '\(manifest.name)' has no \(kind.rawValue) trigger; it has: \(known)")
        }
        return kind
    }

    /// The function's first trigger of that kind; of those that follow state, the one that is for the key.
    private func chosenIndex(of kind: TriggerKind, in manifest: Manifest) throws(Problem) -> Int {
        guard kind == .state else { return manifest.triggers.firstIndex { $0.kind == kind } ?? 0 }
        guard let key = event?.subject, (1...AdminRoutes.mostKeyBytes).contains(key.utf8.count) else {
            throw .badInvocation(
                "a state event needs 'event.subject', the key, which has 1 to \(AdminRoutes.mostKeyBytes) bytes")
        }
        let index = manifest.triggers.firstIndex { $0.statePrefix.map { ExactText(key).hasPrefix($0) } ?? false }
        guard let index else {
            let prefixes = manifest.triggers.compactMap { $0.statePrefix.map { "'\($0)'" } }.joined(separator: ", ")
            throw .badInvocation("the key '\(key)' does not begin with what the function follows: \(prefixes)")
        }
        return index
    }

    private func requestHead(for manifest: Manifest, hasData: Bool) throws(Problem) -> RequestHead {
        let triggers = manifest.httpTriggers
        let target: String
        if let path { target = path } else { target = try defaultPath(of: triggers) }
        let parts = target.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        guard let path = RequestPath(parts[0]) else {
            throw .badInvocation("the path '\(parts[0])' is not one: it begins with '/', and what is encoded is UTF-8")
        }
        let method = self.method?.uppercased() ?? Self.defaultMethod(manifest, path, hasData: hasData)
        guard method.isToken else { throw .badInvocation("'\(method)' is no method of HTTP, such as GET or POST") }
        let headers = (self.headers ?? [:]).sorted { $0.key < $1.key }.map { HeaderField($0.key, $0.value) }
        if let header = headers.first(where: { !$0.isSendable }) {
            throw .badInvocation(
                "the header '\(header.name)' has a name or a value that no request can have (RFC 9110 §5)")
        }
        // As the gateway does it, so that a call by hand reaches what a request would.
        switch RouteTable([manifest]).find(method, path) {
        case .route(let route, _):
            return RequestHead(
                method: method, path: String(parts[0]), query: parts.count > 1 ? String(parts[1]) : "",
                parameters: route.parameters(of: path),
                headers: headers, remoteAddress: "127.0.0.1:0")
        case .methods(let allowed):
            throw .badInvocation(
                "the route '\(parts[0])' does not take \(method), but \(allowed.joined(separator: ", "))")
        case .none:
            let routes = triggers.map(\.path.description).joined(separator: ", ")
            throw .badInvocation("the path '\(parts[0])' is none of the function's routes: \(routes)")
        }
    }

    private func defaultPath(of triggers: [HTTPTrigger]) throws(Problem) -> String {
        guard let path = triggers.lazy.compactMap({ $0.path.plainPath }).first else {
            throw .badInvocation("the function's routes have parameters; say which 'path'")
        }
        return path
    }

    /// What a person means who names none: POST with a body and GET without one, where the path allows it.
    private static func defaultMethod(_ manifest: Manifest, _ path: RequestPath, hasData: Bool) -> String {
        let wished = hasData ? "POST" : "GET"
        guard case .methods(let allowed) = RouteTable([manifest]).find(wished, path) else { return wished }
        return allowed.first { $0 != "OPTIONS" && $0 != "HEAD" } ?? wished
    }

    private func makeEvent(
        _ kind: TriggerKind, _ manifest: Manifest, index: Int, id: InvocationID, now: WallTime, data: [UInt8]
    ) throws(Problem) -> Event {
        let fields = event ?? EventFields()
        var extensions = fields.extensions ?? [:]
        var type = fields.type
        var source = "/\(kind.rawValue)s/\(manifest.name)/\(index)"
        switch kind {
        case .timer:
            type = type ?? "apus.timer.due"
            extensions["due"] = extensions["due"] ?? fields.time ?? now.description
        case .file:
            type = type ?? "apus.file.created"
            guard let subject = fields.subject else {
                throw .badInvocation("a file event needs 'event.subject', the path of the file in the watched folder")
            }
            if case .file(let trigger) = manifest.triggers[index], extensions["path"] == nil {
                extensions["path"] = trigger.watch + "/" + subject
            }
        case .topic:
            if case .topic(let topic) = manifest.triggers[index] {
                type = type ?? topic.name
                extensions["apustarget"] = extensions["apustarget"] ?? topic.name
            }
        case .state:
            if case .state(let trigger) = manifest.triggers[index] { source = Event.stateSource + trigger.namespace }
            type = type ?? Event.stateSet
            guard type != Event.stateDeleted || data.isEmpty else {
                throw .badInvocation("what was deleted has no value; leave 'data' out")
            }
            // No commit has this version.
            extensions["version"] = extensions["version"] ?? "0"
        case .http:
            throw .badInvocation("an HTTP request is no event")
        }
        return Event(
            id: fields.id ?? id.description, source: fields.source ?? source,
            type: type ?? "", subject: fields.subject, time: now,
            dataContentType: fields.datacontenttype ?? (data.isEmpty ? nil : "application/octet-stream"),
            extensions: extensions, data: data)
    }
}

extension InvocationPlan.NewEvent {
    /// A request for the queue. The event around it says in the words of CloudEvents what came.
    package init(
        queuing head: RequestHead, _ body: [UInt8], of function: String, id: InvocationID, now: WallTime, due: WallTime,
        _ urgency: Int
    ) {
        let event = Event(
            id: id.description, source: "/functions/\(function)/requests", type: "apus.http.request",
            subject: head.path, time: now, dataContentType: head.headers.first("Content-Type"), data: body)
        self.init(
            kind: .http, trigger: "\(function)/http", event: event, request: head, due: due, urgency: urgency)
    }
}

extension Trigger {
    fileprivate var statePrefix: ExactText? {
        if case .state(let trigger) = self { ExactText(trigger.prefix) } else { nil }
    }
}

extension Problem {
    static func badInvocation(_ detail: String) -> Problem {
        Problem(status: 400, code: "bad-invocation", title: "The function cannot be invoked like this", detail: detail)
    }

    static func notFound(_ detail: String) -> Problem {
        Problem(status: 404, code: "not-found", title: "There is no such thing", detail: detail)
    }

    static func badRequest(_ detail: String) -> Problem {
        Problem(status: 400, code: "bad-request", title: "The request cannot be understood", detail: detail)
    }

    static func unavailable(_ detail: String) -> Problem {
        Problem(status: 503, code: "unavailable", title: "The host cannot do this now", detail: detail, retryAfter: 1)
    }
}
