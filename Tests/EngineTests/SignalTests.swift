import Engine
import Events
import NIOPosix
import Support
import Synchronization
import Testing

@Suite("Signals")
struct SignalTests {
    @Test("what is due after the end of a wait wakes nobody, and what is due before does")
    func due() async throws {
        let signal = Signal()
        let wakes = Mutex(0)
        let waiting = Task {
            while !Task.isCancelled {
                await signal.wait(longest: .seconds(3600), on: MultiThreadedEventLoopGroup.singleton.any())
                wakes.withLock { $0 += 1 }
            }
        }
        for round in 1...20 {
            for _ in 0..<10 { signal.signal(due: WallTime.now().advanced(by: .seconds(7200))) }
            signal.signal(due: WallTime.now().advanced(by: .seconds(60)))
            #expect(await eventually { wakes.withLock { $0 } >= round })
        }
        #expect(wakes.withLock { $0 } == 20)
        waiting.cancel()
        await waiting.value
    }
}
