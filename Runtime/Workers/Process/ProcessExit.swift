import CProcess
import Glibc

/// How a process has ended.
enum ProcessExit: Sendable, Equatable, CustomStringConvertible {
    case status(Int32)
    case signal(Int32)
    /// The kernel does not say, for this errno.
    case unknown(Int32)

    var description: String {
        switch self {
        case .status(let status): "exit status \(status)"
        case .signal(let number): "killed by \(Self.name(of: number))"
        case .unknown(let error): "how it ended is not known: waitid: \(describe(error))"
        }
    }

    /// Whether this is how a process ends that gets no more memory: allocators abort, trap or read through null.
    var suggestsMemory: Bool {
        switch self {
        case .status, .unknown: false
        case .signal(let number): [SIGABRT, SIGSEGV, SIGILL, SIGTRAP, SIGBUS].contains(number)
        }
    }

    private static func name(of signal: Int32) -> String {
        apus_signal_name(signal).map { "SIG" + String(cString: $0) } ?? "signal \(signal)"
    }
}
