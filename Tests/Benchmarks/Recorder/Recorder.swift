import Apus
import Glibc
import Synchronization

/// Notes each event that it is called with, and when the call began: the benchmarks of timers and files ask for the list.
///
/// It keeps the list in memory, so that noting costs next to nothing: give it one worker (`max: 1`) that stays.
@main
struct Recorder: HTTPFunction, TimerFunction, FileFunction {
    private static let lines = Mutex<[String]>([])

    /// A line a call, in the order in which they began.
    func respond(to request: HTTPRequest, in context: Context) async throws -> HTTPResponse {
        let lines = Self.lines.withLock { $0 }
        return .stream { writer in
            for line in lines { try await writer.write(Array((line + "\n").utf8)) }
        }
    }

    /// When it was due, and when this call began, in milliseconds since 1970.
    func run(_ timer: TimerEvent, in context: Context) async throws { note("\(timer.due) \(Self.now())") }

    /// What happened to which file.
    func handle(_ file: FileEvent, in context: Context) async throws { note("\(file.change) \(file.name)") }

    private func note(_ line: String) { Self.lines.withLock { $0.append(line) } }

    private static func now() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Double(time.tv_sec) * 1000 + Double(time.tv_nsec) / 1e6
    }
}
