import Events
import Manifests
import Support
import Synchronization
import Testing
import Wire

@testable import Workers

@Suite("Which programs may act for which calls")
struct AccessTests {
    private let directory = AccessDirectory()

    private func access(_ manifest: Manifest = Handlers.shell("")) -> WorkerAccess {
        WorkerAccess(directory, manifest: manifest)
    }

    private func call(_ state: MemoryState = MemoryState()) -> Call {
        let invocation = Invocation(function: "f", cause: .request(RequestHead(method: "GET", path: "/")))
        return Call(invocation: invocation, body: .empty, time: .seconds(1), state: state)
    }

    @Test("without an API there is no token")
    func noAPI() {
        #expect(access().grant() == nil)
    }

    @Test("a token opens its own worker's access until it is revoked, and nothing else opens it")
    func tokens() throws {
        directory.listens(on: 4711)
        let (first, second) = (access(), access())
        let (one, two) = (try #require(first.grant()), try #require(second.grant()))
        let token = try #require(one.variables["APUS_TOKEN"])
        let other = try #require(two.variables["APUS_TOKEN"])
        #expect(one.variables["APUS_API"] == "http://127.0.0.1:4711")
        #expect(token != other)
        #expect(directory.access(token: token) === first)
        #expect(directory.access(token: other) === second)
        // The secret of one with the number of the other.
        let mixed = "\(token.prefix { $0 != "." })\(other.drop { $0 != "." })"
        for wrong in ["", ".", mixed, token + "0", String(token.dropLast()), "x" + token, "+" + token, " " + token] {
            #expect(directory.access(token: wrong) == nil, "\(wrong)")
        }
        one.revoke()
        #expect(directory.access(token: token) == nil)
        #expect(directory.access(token: other) === second)
    }

    @Test("a token has 256 bits, written as 64 digits after its number")
    func tokenForm() throws {
        directory.listens(on: 1)
        let token = try #require(access().grant()?.variables["APUS_TOKEN"])
        let parts = token.split(separator: ".")
        #expect(parts.count == 2)
        #expect(parts[1].utf8.count == 64)
        let isHexadecimal = parts[1].allSatisfy(\.isHexDigit)
        #expect(isHexadecimal)
    }

    @Test("a call can be joined while it runs, by its id; without one only where a process runs one invocation")
    func joining() {
        var reused = Handlers.shell("")
        reused.handler.contract = .http
        let (single, many) = (access(), access(reused))
        for access in [single, many] {
            let call = call()
            let id = call.invocation.id
            #expect(access.call(id) == nil)
            let joined = access.join(call)
            #expect(access.call(id)?.invocation == id)
            #expect(access.call(InvocationID()) == nil)
            #expect(access.call(nil)?.invocation == (access === single ? id : nil))
            access.leave(joined)
            #expect(access.call(id) == nil)
            #expect(access.call(nil) == nil)
        }
    }

    @Test("a call that has failed can be joined no more")
    func failed() {
        /// Turns each call away.
        final class Refusing: Worker, CallRun {
            let pid: Int32 = 0

            func start(calmly: Bool) {}
            func hurry() {}
            func run(_ call: Call) -> any CallRun { self }
            func begin(_ end: @escaping CallEnd) { end(.failure(.cancelledByCaller)) }
            func cancel() {}
            func stop(because reason: String) {}
            func kill(because reason: String) {}
        }
        let (access, call) = (access(), call())
        let failure = Mutex<CallFailure?>(nil)
        JoinedWorker(Refusing(), access).run(call).begin { answer in
            if case .failure(let reason) = answer { failure.withLock { $0 = reason } }
        }
        #expect(failure.withLock { $0 }?.code == .cancelled)
        #expect(access.call(call.invocation.id) == nil)
    }
}

@Suite("Operations that join a call")
struct JoinedCallTests {
    /// Does what it is told.
    private final class ScriptedState: CallState {
        typealias Outcome = Result<StateResult, StateError>

        let values: ValueRing? = nil
        let onOperation: @Sendable (StateScope, StateOperation) -> Outcome
        let onCommit: @Sendable (StateScope) async -> Outcome

        init(
            onOperation: @escaping @Sendable (StateScope, StateOperation) -> Outcome,
            onCommit: @escaping @Sendable (StateScope) async -> Outcome
        ) {
            self.onOperation = onOperation
            self.onCommit = onCommit
        }

        func operate(_ scope: StateScope, _ operation: StateOperation) -> Outcome { onOperation(scope, operation) }

        func commit(_ scope: StateScope) async -> Outcome { await onCommit(scope) }
    }

    private func call(
        _ onOperation: @escaping @Sendable (StateScope, StateOperation) -> ScriptedState.Outcome = { _, _ in
            .success(.done)
        },
        onCommit: @escaping @Sendable (StateScope) async -> ScriptedState.Outcome
    ) -> JoinedCall {
        let invocation = Invocation(function: "f", cause: .request(RequestHead(method: "GET", path: "/")))
        let state = ScriptedState(onOperation: onOperation, onCommit: onCommit)
        return JoinedCall(Call(invocation: invocation, body: .empty, time: .seconds(1), state: state))
    }

    @Test("many at the same time run one after the other, and the end waits for all that have come")
    func order() async throws {
        let running = Atomic<Int>(0)
        let most = Atomic<Int>(0)
        let done = Atomic<Int>(0)
        let joined = call { _ in
            let now = running.add(1, ordering: .relaxed).newValue
            most.max(now, ordering: .relaxed)
            await Task.yield()
            running.subtract(1, ordering: .relaxed)
            done.add(1, ordering: .relaxed)
            return .success(.done)
        }
        let taken = try await withThrowingTaskGroup { group in
            for _ in 0..<200 {
                group.addTask {
                    do throws(JoinedCall.Refusal) {
                        _ = try await joined.operate(.delete(key: "k"), immediately: true)
                        return 1
                    } catch {
                        return 0
                    }
                }
            }
            // Some come before this and some after.
            await withCheckedContinuation { end in joined.finish { end.resume() } }
            let atTheEnd = done.load(ordering: .relaxed)
            let taken = try await group.reduce(0, +)
            #expect(taken == atTheEnd)
            return taken
        }
        #expect(done.load(ordering: .relaxed) == taken)
        #expect(most.load(ordering: .relaxed) <= 1)
        await #expect(throws: JoinedCall.Refusal.over) {
            try await joined.operate(.get(key: "k"), immediately: false)
        }
    }

    @Test("what is asked for immediately has a scope of its own, which commits, or is abandoned when it fails")
    func immediately() async throws {
        let seen = Mutex<[String]>([])
        let joined = call { scope, operation in
            let word: String
            switch operation {
            case .set("bad", _): return .failure(StateError(.invalid, "no"))
            case .set: word = "set"
            case .increment: word = "increment"
            case .abandon: word = "abandon"
            default: word = "?"
            }
            seen.withLock { $0.append("\(scope) \(word)") }
            return .success(operation == .increment(key: "n", by: 2) ? .number(7) : .done)
        } onCommit: { scope in
            seen.withLock { $0.append("\(scope) commit") }
            return .success(.done)
        }
        _ = try await joined.operate(.set(key: "k", value: []), immediately: false)
        let number = try await joined.operate(.increment(key: "n", by: 2), immediately: true)
        #expect(number == .success(.number(7)))
        let refused = try await joined.operate(.set(key: "bad", value: []), immediately: true)
        #expect(refused == .failure(StateError(.invalid, "no")))
        #expect(seen.withLock { $0 } == ["0 set", "1 increment", "1 commit", "2 abandon"])
    }

    @Test("a call that is aborted drops what waits, and no more than so many may wait")
    func abort() async throws {
        let (gate, open) = AsyncStream.makeStream(of: Void.self)
        let joined = call { _ in
            for await _ in gate { break }
            return .success(.done)
        }
        let (done, over, tooMany) = await withTaskGroup { group in
            for _ in 0..<(JoinedCall.mostWaiting + 11) {
                group.addTask { () -> JoinedCall.Refusal? in
                    do throws(JoinedCall.Refusal) {
                        _ = try await joined.operate(.delete(key: "k"), immediately: true)
                        return nil
                    } catch {
                        return error
                    }
                }
            }
            var refusals: [JoinedCall.Refusal?] = []
            // Those that find no place come back first.
            while refusals.count < 10, let refusal = await group.next() { refusals.append(refusal) }
            joined.abort()
            open.finish()
            for await refusal in group { refusals.append(refusal) }
            return (refusals.count { $0 == nil }, refusals.count { $0 == .over }, refusals.count { $0 == .tooMany })
        }
        #expect(done == 1)
        #expect(over == JoinedCall.mostWaiting)
        #expect(tooMany == 10)
    }
}
