import NIOCore
import Testing

@testable import Workers

@Suite("When a lane looks into its workers' memory")
struct LookPacingTests {
    @Test("some times at once, then after a pause for its sockets")
    func looks() {
        var pacing = LookPacing()
        for tick in 1...3 {
            for _ in 0..<5 { #expect(pacing.pause(at: tick) == nil) }
            #expect(pacing.pause(at: tick) == .microseconds(20))
        }
    }

    @Test("a loop to which a task takes longer than the pause gets to its sockets", arguments: [50, 500, 4000])
    func slow(microseconds: Int64) {
        var pacing = LookPacing()
        let task = TimeAmount.microseconds(microseconds)
        var tasks = 0
        while tasks < 1000, (pacing.pause(at: 0) ?? .zero) <= task { tasks += 1 }
        #expect(tasks < 20)
    }
}
