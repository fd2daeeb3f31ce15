package import Events
import Manifests
import Storage
import Synchronization
package import Workers

/// Who runs a request for somebody who may go away.
package protocol RunningRequest: Sendable {
    /// Nobody waits for the reply any more.
    func cancel()
}

extension Task: RunningRequest {}

/// The reply to a request, or the problem that its client shall see.
package typealias ReplyEnd = @Sendable (Result<Reply, Problem>) -> Void

extension Task where Success == Void, Failure == Never {
    /// Begins, on the lane's thread, what gives the reply to a request. Unstructured: it lives as long as somebody waits for
    /// the reply.
    package static func immediate(
        executorPreference lane: Lane, end: @escaping ReplyEnd,
        _ body: @escaping @Sendable () async throws(Problem) -> Reply
    ) -> Task {
        immediate(executorPreference: lane) {
            do throws(Problem) {
                end(.success(try await body()))
            } catch {
                end(.failure(error))
            }
        }
    }
}

extension InvocationEngine {
    /// Runs one HTTP request. `end` is told once, perhaps at once and on any thread, after the effects are committed.
    ///
    /// - Parameters:
    ///   - function: the name that the route leads to.
    ///   - lane: whose thread this is.
    package func respond(
        to request: RequestHead, body: Body, function name: String, id: InvocationID, on lane: Lane,
        _ end: @escaping ReplyEnd
    ) -> any RunningRequest {
        guard request.idempotency == nil, let function = servant(named: name) else {
            return Task.immediate(executorPreference: lane, end: end) { () async throws(Problem) in
                try await self.respond(to: request, body: body, function: name, id: id, on: lane)
            }
        }
        let invocation = Invocation(id: id, function: name, cause: .request(request))
        let run = RequestRun(begin(invocation, body: body, of: function, on: lane), by: self, end)
        run.begin()
        return run
    }
}

/// A request on its way to its reply. While it waits for its worker, and while the worker has it, it needs no task: most
/// have no effects to commit, and are over when the worker answers, and a task costs as much as all else that happens to
/// them here.
private final class RequestRun: RunningRequest {
    private enum Phase {
        case beginning
        case calling(any CallRun)
        case working(Task<Void, Never>)
        case cancelled
    }

    private let run: Run
    private let engine: InvocationEngine
    private let state: InvocationState
    private let end: ReplyEnd
    private let phase = Mutex(Phase.beginning)

    init(_ run: Run, by engine: InvocationEngine, _ end: @escaping ReplyEnd) {
        self.run = run
        self.engine = engine
        self.end = end
        state = InvocationState(run.invocation, in: run.function.manifest.namespace, engine: engine)
    }

    func begin() {
        if case .refused(let rest) = run.pass {
            return work { () async throws(FailedRun) in throw FailedRun(restingFor: rest) }
        }
        let call = run.function.pool.run(run.call(state), on: run.lane)
        enter(.calling(call))
        call.begin(answered)
    }

    func cancel() { enter(.cancelled) }

    private func answered(_ answer: Result<Answer, CallFailure>?) {
        switch answer {
        case .success(let answer):
            // A program that says that it could not do its work has changed nothing.
            let hasFailed = answer.failureReason(by: run.function.manifest.handler.contract) != nil
            if let effects = state.seal(), !hasFailed { commit(effects, answer) } else { succeed(answer) }
        case .failure(let failure):
            work { [self] () async throws(FailedRun) in throw engine.failed(failure, state, of: run) }
        // The worker had ended before it got the call: another may take it.
        case nil: begin()
        }
    }

    private func commit(_ effects: Effects, _ answer: Answer) {
        engine.store.commit(effects) { [self] result in
            // On the lane again, and together with what else has been committed.
            run.lane.deliver { [self] in committed(result, effects, answer) }
        }
    }

    private func committed(_ result: Result<CommitResult, any Error>, _ effects: Effects, _ answer: Answer) {
        switch result {
        case .success(.committed):
            if engine.store.enqueues(effects) { engine.queueChanged() }
            succeed(answer)
        case .success(let result):
            work { [run, engine] () async throws(FailedRun) in try await engine.follow(result, answer, of: run) }
        case .failure(let error):
            work { () async throws(FailedRun) in throw answer.discarded(because: Failure(unsaved: error)) }
        }
    }

    private func succeed(_ answer: Answer) {
        engine.note(answer, of: run)
        tell(answer)
    }

    /// Goes on with what takes time.
    private func work(_ body: @escaping @Sendable () async throws(FailedRun) -> Answer) {
        // Unstructured: it lives as long as somebody waits.
        let task = Task(executorPreference: run.lane) { [self] in
            do throws(FailedRun) {
                tell(try await engine.outcome(of: run, body))
            } catch {
                end(.failure(engine.problem(error, run.invocation.id)))
            }
        }
        enter(.working(task))
    }

    private func tell(_ answer: Answer) {
        do throws(FailedRun) {
            end(.success(try Reply(answer)))
        } catch {
            end(.failure(engine.problem(error, run.invocation.id)))
        }
    }

    /// One that is cancelled stays so, and what it enters after that is cancelled, too.
    private func enter(_ next: Phase) {
        let cancelled = phase.withLock { phase -> Phase? in
            if case .cancelled = phase { return next }
            defer { phase = next }
            if case .cancelled = next { return phase }
            return nil
        }
        switch cancelled {
        case .calling(let call): call.cancel()
        case .working(let task): task.cancel()
        case .beginning, .cancelled, nil: break
        }
    }
}
