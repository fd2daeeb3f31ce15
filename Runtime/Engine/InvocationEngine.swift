package import Events
package import Logging
package import Manifests
package import Storage
import Synchronization
package import Workers

/// What one invocation means: admit, lease, perform, classify, commit, reply.
package final class InvocationEngine: Sendable {
    package let store: Store
    let logger: Logger
    let queue = Signal()
    let running = RunningInvocations()
    let keys = RunningKeys()
    let endings = Endings()
    let subscriptions = Subscriptions()
    private let table = Mutex(Table())

    private struct Table {
        var functions: [String: HostedFunction] = [:]
        /// Gone from the running set, but not for requests that were routed before.
        var leaving: [String: HostedFunction] = [:]
    }

    package init(store: Store, logger: Logger) {
        self.store = store
        self.logger = logger
    }

    // MARK: The running set

    /// The running set, by name.
    package var functions: [HostedFunction] {
        table.withLock { Array($0.functions.values) }.sorted { $0.manifest.name < $1.manifest.name }
    }

    package func function(named name: String) -> HostedFunction? { table.withLock { $0.functions[name] } }

    /// Invocations that begin from now on find these; those that run are not touched.
    ///
    /// - Parameters:
    ///   - leaving: no longer among them; requests whose route led there are still served, until `forget`.
    ///   - absent: of functions that do not run here; what is sent to them stays in the queue.
    package func replace(
        functions: [HostedFunction], leaving: [HostedFunction] = [], absent: [Manifest] = []
    ) {
        let named = Dictionary(uniqueKeysWithValues: functions.map { ($0.manifest.name, $0) })
        table.withLock { table in
            table.functions = named
            for function in leaving { table.leaving[function.manifest.name] = function }
        }
        store.setBounds(named.mapValues { $0.manifest.limits.queueBounds })
        subscriptions.replace(functions.map(\.manifest) + absent)
        store.follow(StateFollowers(functions.map(\.manifest)))
        queueChanged()
    }

    /// The function has left for good.
    package func forget(_ function: HostedFunction) {
        let name = function.manifest.name
        table.withLock { if $0.leaving[name] === function { $0.leaving[name] = nil } }
    }

    /// Says that the queue may have something that is due; called by whoever has enqueued.
    package func queueChanged() { queue.signal() }

    /// Says the same of something that is due at `due`.
    func queueChanged(due: WallTime) { queue.signal(due: due) }

    // MARK: Invocations

    /// Runs one HTTP request, as `respond(to:body:function:id:on:_:)` does, and returns its reply. Cancelling the task
    /// cancels the handler's call.
    ///
    /// - Throws: a `Problem` that the client shall see.
    package func respond(
        to request: RequestHead, body: Body, function name: String, id: InvocationID, on lane: Lane
    ) async throws(Problem) -> Reply {
        if let key = request.idempotency {
            return try await respondOnce(to: request, body: body, key: key, function: name, id: id, on: lane)
        }
        return try await respond(to: request, body: body, of: try admit(name, id), id: id, on: lane)
    }

    func respond(
        to request: RequestHead, body: Body, of function: HostedFunction, id: InvocationID, on lane: Lane,
        owing obligation: Obligation? = nil
    ) async throws(Problem) -> Reply {
        let invocation = Invocation(id: id, function: function.manifest.name, cause: .request(request))
        do throws(FailedRun) {
            return try Reply(await run(invocation, body: body, of: function, on: lane, owing: obligation))
        } catch {
            throw problem(error, id)
        }
    }

    /// Runs one event now, once, past the queue; returns after its effects are committed.
    @discardableResult
    package func handle(
        _ event: Event, kind: TriggerKind, function name: String, id: InvocationID, on lane: Lane
    ) async throws(Problem) -> Answer {
        let function = try admit(name, id)
        let invocation = Invocation(id: id, function: name, cause: .event(kind, event))
        do throws(FailedRun) {
            return try await run(invocation, body: .empty, of: function, on: lane)
        } catch {
            throw error.failure.problem(for: id)
        }
    }

    @inline(never)
    func problem(_ error: FailedRun, _ id: InvocationID) -> Problem { error.failure.problem(for: id) }

    func admit(_ name: String, _ id: InvocationID) throws(Problem) -> HostedFunction {
        guard let function = servant(named: name) else {
            throw Problem(
                status: 503, code: "no-function", title: "The function is not here any more", invocation: id,
                retryAfter: 1)
        }
        return function
    }

    /// Who serves requests whose route led to `name`.
    func servant(named name: String) -> HostedFunction? {
        table.withLock { $0.functions[name] ?? $0.leaving[name] }
    }

    /// Runs an invocation to its outcome, which is counted and, where it is not a success, logged.
    func run(
        _ invocation: Invocation, body: Body, of function: HostedFunction, on lane: Lane,
        owing obligation: Obligation? = nil
    ) async throws(FailedRun) -> Answer {
        let run = begin(invocation, body: body, of: function, on: lane, owing: obligation)
        return try await outcome(of: run) { () async throws(FailedRun) in try await perform(run) }
    }

    func begin(
        _ invocation: Invocation, body: Body, of function: HostedFunction, on lane: Lane,
        owing obligation: Obligation? = nil
    ) -> Run {
        let start = SteadyTime.now
        let (pass, change) = function.began(at: start)
        if let change { log(change, of: function) }
        return Run(
            invocation: invocation, body: body, function: function, lane: lane, obligation: obligation, start: start,
            pass: pass)
    }

    /// Takes note of how `body` has ended the run.
    func outcome(
        of run: Run, _ body: () async throws(FailedRun) -> Answer
    ) async throws(FailedRun) -> Answer {
        do throws(FailedRun) {
            let answer = try await body()
            note(answer, of: run)
            return answer
        } catch {
            return try await passOn(run, after: error)
        }
    }

    /// Takes note of a run that failed; and gives what no handler has seen to the function's successor, if a reload came
    /// while it was admitted or waited.
    @inline(never)
    private func passOn(_ run: Run, after error: FailedRun) async throws(FailedRun) -> Answer {
        guard error.failure.unstarted, let successor = function(named: run.invocation.function),
            successor !== run.function
        else {
            note(error.failure, of: run)
            throw error
        }
        run.function.passedOn(run.pass)
        return try await self.run(
            run.invocation, body: run.body, of: successor, on: run.lane, owing: run.obligation)
    }

    @inline(never)
    func note(_ answer: Answer, of run: Run) {
        let function = run.function
        let reason = answer.failureReason(by: function.manifest.handler.contract)
        let change = function.ended(
            run.invocation, reason == nil ? .succeeded : .failed, from: run.start, reason: reason, pass: run.pass,
            verdict: reason == nil ? .works : .fails)
        if let reason { log(reason, .failed, of: run.invocation, at: .error) }
        if let change { log(change, of: function) }
    }

    @inline(never)
    private func note(_ failure: Failure, of run: Run) {
        var failure = failure
        // A queued one has no caller that could go: whoever has cancelled it says why.
        if failure.outcome == .cancelled, let reason = running.reason(ofCancelling: run.invocation.id) {
            failure.reason = reason
        }
        let change = run.function.ended(
            run.invocation, failure.outcome, from: run.start, reason: failure.reason, pass: run.pass,
            verdict: failure.verdict)
        log(failure, of: run.invocation, quietly: run.pass.isRefused)
        if let change { log(change, of: run.function) }
    }

    /// Runs after the first are due to conflicts only.
    private static let mostRuns = 6

    /// What is written together with an invocation's effects. Behind a reference, since every call hands it on.
    indirect enum Obligation {
        /// An asynchronous one is settled as done.
        case settle(LeasedInvocation)
        /// The answer to a request with an idempotency key is stored for its repeats.
        case keep(KeyedRequest)

        fileprivate var leased: LeasedInvocation? { if case .settle(let leased) = self { leased } else { nil } }
        fileprivate var keyed: KeyedRequest? { if case .keep(let keyed) = self { keyed } else { nil } }
    }

    // An asynchronous function keeps room, in each call, for all that it may hold while it waits. What is rare has
    // functions of its own, so that a request makes do with little.

    func perform(_ run: Run, number: Int = 1) async throws(FailedRun) -> Answer {
        if case .refused(let rest) = run.pass { throw FailedRun(restingFor: rest) }
        let state = InvocationState(run.invocation, in: run.function.manifest.namespace, engine: self)
        let answer: Answer
        do throws(CallFailure) {
            answer = try await run.function.pool.perform(run.call(state), on: run.lane)
        } catch {
            throw failed(error, state, of: run)
        }
        return try await conclude(answer, state.seal(), of: run, number: number)
    }

    /// Commits what the handler of the run's `number`th try has done; on a conflict, tries again.
    func conclude(
        _ answer: Answer, _ effects: Effects?, of run: Run, number: Int = 1
    ) async throws(FailedRun) -> Answer {
        // An invocation that has touched no state, came from no queue and has no key touches no disk.
        if effects == nil, run.obligation == nil { return answer }
        let (answer, result) = try await settle(effects, answer, of: run)
        return try await follow(result, answer, of: run, number: number)
    }

    /// What comes after the run's `number`th try to commit: its answer, or another try.
    func follow(
        _ result: CommitResult, _ answer: Answer, of run: Run, number: Int = 1
    ) async throws(FailedRun) -> Answer {
        switch result {
        case .committed: return answer
        case .repeated: throw answer.discarded(because: .repeated)
        case .leaseLost: throw answer.discarded(because: .leaseLost)
        case .conflicted:
            guard number < Self.mostRuns, run.body.isReplayable else {
                throw answer.discarded(because: .conflicted)
            }
            answer.discard()
            try await pause(before: number + 1, limits: run.time)
            return try await perform(run, number: number + 1)
        }
    }

    @inline(never)
    func failed(_ error: CallFailure, _ state: InvocationState, of run: Run) -> FailedRun {
        var failure = Failure(error, limits: run.time)
        if state.isTooDeep { failure.permanent = true }
        return FailedRun(failure)
    }

    /// Writes what must be on the disk before the answer is given.
    @inline(never)
    private func settle(
        _ effects: Effects?, _ answer: Answer, of run: Run
    ) async throws(FailedRun) -> (Answer, CommitResult) {
        let (leased, keyed) = (run.obligation?.leased, run.obligation?.keyed)
        let function = run.function
        // Nobody waits for the answer of a queued one: it is judged and kept.
        let result = leased == nil ? nil : try await answer.resultOfQueued()
        let hasFailed = answer.failureReason(by: function.manifest.handler.contract) != nil
        let kept = hasFailed ? nil : effects
        var answer = answer
        var response: IdempotentResponse?
        if let keyed, !hasFailed {
            answer = try await answer.collected(upTo: Self.mostKept, limits: run.time)
            response = keyed.response(answer, of: run.invocation.id, now: .now())
        }
        if kept == nil, leased == nil, response == nil { return (answer, .committed) }
        let committed = try await commit(kept, of: answer, result, response, in: function, leased: leased)
        if committed == .committed {
            let hasNotice = leased != nil && function.manifest.destinations.success != nil
            if hasNotice || kept.map(store.enqueues) == true { queueChanged() }
            if let keyed, let response { keyed.answered(response) }
        }
        return (answer, committed)
    }

    private func commit(
        _ effects: Effects?, of answer: Answer, _ result: InvocationResult?, _ response: IdempotentResponse?,
        in function: HostedFunction, leased: LeasedInvocation?
    ) async throws(FailedRun) -> CommitResult {
        do {
            if let leased {
                let settlement = Settlement.done(result: result)
                return try await store.commit(
                    Commit(
                        effects: effects, settle: (leased.lease, settlement), response: response,
                        notices: notices(that: settlement, ends: leased, of: function.manifest)))
            }
            if response != nil {
                return try await store.commit(Commit(effects: effects, response: response))
            }
            return if let effects { try await store.commit(effects) } else { .committed }
        } catch {
            throw answer.discarded(because: Failure(unsaved: error))
        }
    }

    /// Full jitter, doubling: runs that met once should not meet again.
    @inline(never)
    private func pause(before run: Int, limits time: Duration) async throws(FailedRun) {
        do {
            try await Task.sleep(for: .microseconds(Int.random(in: 0..<(500 << run))))
        } catch {
            throw FailedRun(Failure(CallFailure(.cancelled, "the caller went away"), limits: time))
        }
    }

    private func log(_ change: CircuitBreaker.Change, of function: HostedFunction) {
        let name = function.manifest.name
        let metadata: Logger.Metadata = ["function": "\(name)"]
        switch change {
        case .opened(let failures, let calls, let rest):
            logger.error(
                """
                circuit breaker opened: \(failures) of the last \(calls) calls failed; calls are answered 503, and \
                queued events wait, for \(Quantity.text(rest))
                """, metadata: metadata)
        case .tries: logger.notice("circuit breaker half-open: the next call tries", metadata: metadata)
        case .closed: logger.notice("circuit breaker closed: a call has succeeded", metadata: metadata)
        }
    }

    /// - Parameter quietly: the reason was logged when it began.
    private func log(_ failure: Failure, of invocation: Invocation, quietly: Bool) {
        let level: Logger.Level =
            switch failure.outcome {
            case _ where quietly: .debug
            case .cancelled, .conflicted: .info
            case .rejected: .warning
            case .succeeded, .failed, .timedOut, .exhausted: .error
            }
        log(failure.reason, failure.outcome, of: invocation, at: level)
    }

    private func log(_ reason: String, _ outcome: Outcome, of invocation: Invocation, at level: Logger.Level) {
        logger.log(
            level: level, "\(reason)",
            metadata: [
                "function": "\(invocation.function)", "invocation": "\(invocation.id)",
                "outcome": "\(outcome.rawValue)", "attempt": "\(invocation.attempt)",
            ])
    }
}

package struct Reply: Sendable {
    package var head: ResponseHead
    package var body: Body
    /// A path and query of this host whose response, to `GET`, is the one to give. Whoever knows no routes may give
    /// `head`, which says the same to a client.
    package var redirect: String?
    /// Whose answer it is, where that is not the invocation that was asked for it.
    package var invocation: InvocationID?

    package init(head: ResponseHead, body: Body) {
        self.head = head
        self.body = body
    }

    package init(redirect target: String) {
        self.init(head: ResponseHead(status: 302, headers: [HeaderField("Location", target)]), body: .empty)
        redirect = target
    }

    init(_ answer: Answer) throws(FailedRun) {
        switch answer {
        case .response(let head, let body): self.init(head: head, body: body)
        case .redirect(let target): self.init(redirect: target)
        case .acknowledged, .result:
            throw FailedRun(
                Failure(CallFailure(.contractBroken, "an acknowledgement is no answer to a request"), limits: .zero))
        }
    }
}

extension Body {
    /// Whether a second run gets the same bytes.
    fileprivate var isReplayable: Bool {
        switch self {
        case .bytes: true
        case .stream: false
        }
    }
}

extension Answer {
    /// Why an invocation has failed that has an answer nevertheless. A server or a CGI program says with 5xx that it could
    /// not do its work, and web frameworks answer so when the handler throws: the client gets the answer, and nothing of
    /// the effects is applied. Handlers in the other contracts have their own ways to fail.
    func failureReason(by contract: Handler.Contract) -> String? {
        guard contract == .http || contract == .cgi, case .response(let head, _) = self, head.status >= 500 else {
            return nil
        }
        return "the program answered with status \(head.status)"
    }

    /// Nobody will read it: a body that still streams ends its call.
    fileprivate func discard() {
        if case .response(_, .stream(let stream)) = self { stream.cancel() }
    }

    func discarded(because failure: Failure) -> FailedRun {
        discard()
        return FailedRun(failure)
    }
}
