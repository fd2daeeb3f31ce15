import Glibc
import Testing
import Threads

@Suite("Slice of a thread")
struct SliceTests {
    /// Of linux/sched.h; Glibc's module lacks it.
    private static let idle: CInt = 5
    /// Linux before 6.12 does not tell, and has one slice for all; that of a machine with one processor is short already.
    static let isLong = Slice.of().map { $0.microseconds > Slice.short.microseconds } ?? false

    @Test("is the thread's own from now on, and not that of threads that it starts", .enabled(if: isLong))
    func taken() throws {
        let usual = try #require(onThread { Slice.of() })
        let (code, own, inherited) = onThread {
            let code = Slice.short.take()
            return (code, Slice.of(), onThread { Slice.of() })
        }
        #expect(code == 0)
        #expect(own == .short)
        #expect(inherited == usual)
        #expect(onThread { Slice.of() } == usual)
    }

    @Test("is left as it is where it is shorter", .enabled(if: isLong))
    func shorter() {
        let tiny = Slice(microseconds: 300)
        let (before, code, after) = onThread {
            tiny.take()
            let before = Slice.of()
            return (before, Slice.short.take(), Slice.of())
        }
        #expect(before == tiny)
        #expect(code == 0)
        #expect(after == tiny)
    }

    @Test("is left as it is where an operator has chosen another way to share processors", .enabled(if: isLong))
    func chosen() {
        let (before, code, after, policy) = onThread {
            var parameters = sched_param()
            #expect(sched_setscheduler(0, Self.idle, &parameters) == 0)
            let before = Slice.of()
            let code = Slice.short.take()
            return (before, code, Slice.of(), sched_getscheduler(0))
        }
        #expect(code == 0)
        #expect(after == before)
        #expect(policy == Self.idle)
    }

    @Test("of a thread that is not there is not told")
    func missing() { #expect(Slice.of(.max) == nil) }

    /// Runs `body` on a thread of its own, which ends with it.
    private func onThread<Value: Sendable>(_ body: @escaping @Sendable () -> Value) -> Value {
        let work = Work(body)
        var thread = pthread_t()
        let code = pthread_create(
            &thread, nil,
            { pointer in
                Unmanaged<AnyWork>.fromOpaque(pointer!).takeRetainedValue().run()
                return nil
            }, Unmanaged<AnyWork>.passRetained(work).toOpaque())
        precondition(code == 0, "no thread: \(code)")
        pthread_join(thread, nil)
        return work.value!
    }
}

// `@unchecked`: what it gave is read after its thread has ended.
private class AnyWork: @unchecked Sendable {
    func run() {}
}

private final class Work<Value: Sendable>: AnyWork, @unchecked Sendable {
    let body: @Sendable () -> Value
    var value: Value?

    init(_ body: @escaping @Sendable () -> Value) { self.body = body }

    override func run() { value = body() }
}
