package import Events
import Manifests
import NIOCore
import Storage
package import Workers

/// Where a queued request stands, as its client may know it: without reasons, which tell what a handler or the host knows.
package struct InvocationStatus: Sendable {
    package struct Result: Sendable {
        package var head: ResponseHead
        package var body: [UInt8]
        /// The body was longer than what is kept.
        package var isCut: Bool
        package var expires: WallTime

        package init(head: ResponseHead, body: [UInt8], isCut: Bool, expires: WallTime) {
            self.head = head
            self.body = body
            self.isCut = isCut
            self.expires = expires
        }
    }

    package var id: InvocationID
    /// `waiting`, `running`, `done` or `dead`.
    package var state: String
    package var isEnded: Bool
    package var urgency: Int
    /// Attempts that have begun.
    package var attempts: Int
    package var enqueued: WallTime
    package var due: WallTime
    package var ended: WallTime?
    /// Of the last attempt.
    package var outcome: Outcome?
    /// While it is kept.
    package var result: Result?
}

extension InvocationStatus {
    package init(
        id: InvocationID, state: String, isEnded: Bool, urgency: Int, enqueued: WallTime, due: WallTime
    ) {
        self.id = id
        self.state = state
        self.isEnded = isEnded
        self.urgency = urgency
        attempts = 0
        self.enqueued = enqueued
        self.due = due
    }

    fileprivate init(_ record: QueueRecord, _ result: InvocationResult?) {
        self.init(
            id: record.id, state: record.state.rawValue, isEnded: record.ended != nil, urgency: record.urgency,
            enqueued: record.enqueued, due: record.due)
        attempts = record.attempt
        ended = record.ended
        outcome = record.outcome
        guard let result, let expires = record.resultExpires else { return }
        self.result = Result(
            head: ResponseHead(status: result.status ?? 200, headers: result.headers), body: result.body,
            isCut: result.isCut, expires: expires)
    }
}

extension InvocationEngine {
    /// Where the queued request `id` stands. Others of the queue are not their callers' affair.
    ///
    /// - Throws: a 404 when there is none, or no longer.
    package func status(of id: InvocationID) async throws(Problem) -> InvocationStatus {
        do {
            guard let record = try await store.record(of: id), record.kind == .http else { throw Problem.noInvocation }
            return InvocationStatus(record, record.ended == nil ? nil : try await store.result(of: id))
        } catch {
            throw error as? Problem ?? Failure(unsaved: error).problem
        }
    }

    /// Ends the queued request `id`, whether it waits or runs; nothing of an attempt that runs is applied.
    ///
    /// - Throws: a 404 when there is none, and a 409 when it has ended otherwise.
    package func cancelRequest(_ id: InvocationID) async throws(Problem) -> InvocationStatus {
        _ = try await status(of: id)
        do {
            _ = try await cancel(id, reason: "its caller has cancelled it")
        } catch {
            throw Failure(unsaved: error).problem
        }
        let status = try await status(of: id)
        guard status.outcome == .cancelled else { throw .invocationEnded(status) }
        return status
    }

    /// Where the queued request stands once it has ended, when `longest` is over, or when the host is about to stop: one
    /// that was accepted must not be answered as if it had not been.
    package func status(
        of id: InvocationID, endedWithin longest: Duration, on lane: Lane
    ) async throws(Problem) -> InvocationStatus {
        let signal = endings.watch(id)
        defer { endings.unwatch(id) }
        let end = SteadyTime.now + longest
        while true {
            let status = try await status(of: id)
            let left = end - .now
            guard !status.isEnded, left > .zero, !endings.isStopping, !Task.isCancelled else { return status }
            await signal.wait(longest: left, on: lane.loop)
        }
    }
}

extension Problem {
    fileprivate static let noInvocation = Problem(
        status: 404, code: "no-invocation", title: "There is no such invocation",
        detail: "It was never accepted, or ended so long ago that nothing of it is kept.")

    fileprivate static func invocationEnded(_ status: InvocationStatus) -> Problem {
        Problem(
            status: 409, code: "invocation-ended", title: "The invocation has ended",
            detail: "It is \(status.state); what it did cannot be taken back.")
    }
}
