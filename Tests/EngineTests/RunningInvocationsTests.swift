import Events
import Support
import Synchronization
import Testing

@testable import Engine

@Suite("Queued invocations that run")
struct RunningInvocationsTests {
    private let running = RunningInvocations()
    private let id = InvocationID(high: 1, low: 2)

    /// Runs an attempt that ends when it is cancelled, and says with which reason.
    private func attempt() -> Task<String?, Never> {
        Task { [running, id] in
            let reason = Mutex<String?>(nil)
            await running.run(id, on: globalConcurrentExecutor) {
                while !Task.isCancelled { await Task.yield() }
                reason.withLock { $0 = running.wasEnded(id) ? running.reason(ofCancelling: id) : "not ended" }
            }
            return reason.withLock { $0 }
        }
    }

    @Test("one that is ended before its attempt has begun ends when it begins")
    func early() async {
        running.end(id, because: "nobody wants it")
        #expect(await attempt().value == "nobody wants it")
    }

    @Test("what is left of an earlier attempt does not keep a later one from its end")
    func later() async {
        let isFirstRunning = Mutex(false)
        let isFirstOver = Mutex(false)
        let isSecondRunning = Mutex(false)
        let first = Task { [running, id] in
            await running.run(id, on: globalConcurrentExecutor) {
                isFirstRunning.withLock { $0 = true }
                while !isFirstOver.withLock({ $0 }) { await Task.yield() }
            }
        }
        #expect(await eventually { isFirstRunning.withLock { $0 } })
        let second = Task { [running, id] in
            await running.run(id, on: globalConcurrentExecutor) {
                isSecondRunning.withLock { $0 = true }
                while !Task.isCancelled { await Task.yield() }
            }
        }
        #expect(await eventually { isSecondRunning.withLock { $0 } })
        isFirstOver.withLock { $0 = true }
        await first.value
        running.end(id, because: "nobody wants it")
        await second.value
    }

    @Test("the caller's cancellation reaches the call, which was not ended by anybody")
    func cancelled() async {
        let attempt = attempt()
        attempt.cancel()
        #expect(await attempt.value == "not ended")
    }
}
