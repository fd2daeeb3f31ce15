import Glibc
import Manifests
import Support
import Testing

/// A contract, with a handler for each thing that the suite asks for.
struct Contract: Sendable, CustomTestStringConvertible {
    /// `stream` says on its standard error of each chunk that it has written it.
    enum Task: String {
        case echo = "cat"
        case count = "wc -c"
        case stream = "for i in $(seq 256); do head -c 262144 /dev/zero || exit; echo wrote >&2; done"
        case crash = "kill -9 $$"
        case exit = "exit 3"
        case sleep = "exec sleep 60"
        case ignoreTerm = "trap '' TERM; while :; do sleep 1; done"
        case stubborn = "trap '' TERM; echo stubborn >&2; sleep 60; sleep 60"
        case flood = "head -c 104857600 /dev/zero | tr '\\0' 'l' | fold -w 1023 >&2"
        case allocate = "x=$(head -c 536870912 /dev/zero | tr '\\0' x); echo ${#x}"
        case environment = "n=${QUERY_STRING#name=}; eval \"echo \\$$n\""
        case event = "cat; :"
        case garbage = "head -c 1048576 /dev/urandom; exit 1"
        case slowStart = "sleep 1; cat"
        case neverReady = "sleep 3600"

        /// The same for a program of the `cgi` contract, which reads as much as it is told, and says what it prints.
        /// A task that fails says nothing before.
        var cgiScript: String {
            let header = "echo Content-Type: text/plain; echo; "
            switch self {
            case .echo: return header + "head -c ${CONTENT_LENGTH:-0}"
            case .count: return header + "head -c ${CONTENT_LENGTH:-0} | wc -c"
            case .allocate: return "x=$(head -c 536870912 /dev/zero | tr '\\0' x); \(header)echo ${#x}"
            case .crash, .exit, .garbage: return rawValue
            case .slowStart: return "sleep 1; " + header + "head -c ${CONTENT_LENGTH:-0}"
            default: return header + rawValue
            }
        }
    }

    let testDescription: String
    let manifest: @Sendable (Task) -> Manifest

    static let all = [
        Contract(testDescription: "apus") { Handlers.contractWorker($0) },
        Contract(testDescription: "apus, fresh for each call") { task in
            var manifest = Handlers.contractWorker(task)
            manifest.workers.instance = .fresh
            return manifest
        },
        Contract(testDescription: "apus (Python)") { Handlers.python($0) },
        Contract(testDescription: "apus (Python, asynchronous)") { Handlers.python($0, async: true) },
        Contract(testDescription: "stdio") { Handlers.shell($0.rawValue) },
        Contract(testDescription: "lambda") { Handlers.lambda("\($0)") },
        Contract(testDescription: "cgi") { Handlers.cgi($0.cgiScript) },
        Contract(testDescription: "http") { Handlers.server($0) },
    ]
}

/// What `value` is once it has stayed the same for many looks: nothing tells of what does not come.
func settled<Value: Equatable>(_ value: () -> Value) async -> Value {
    var last = value()
    while await changes(from: last, value) { last = value() }
    return last
}

/// Whether `value` becomes another within many looks.
func changes<Value: Equatable>(from last: Value, _ value: () -> Value) async -> Bool {
    var looks = 0
    return await eventually {
        looks += 1
        return looks > 60 || value() != last
    } && value() != last
}

/// Of this process (proc_pid_statm(5)).
func residentBytes() -> Int {
    guard let file = fopen("/proc/self/statm", "r") else { return 0 }
    defer { fclose(file) }
    var line = [CChar](repeating: 0, count: 256)
    guard fgets(&line, 256, file) != nil else { return 0 }
    let fields = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        .split(separator: " ")
    return (Int(fields[1]) ?? 0) * Int(getpagesize())
}

func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

extension String {
    var trimmed: String {
        var text = self[...]
        while let last = text.last, last.isWhitespace { text.removeLast() }
        return String(text.drop(while: \.isWhitespace))
    }
}

func isZombie(_ pid: String) -> Bool {
    guard let file = fopen("/proc/\(pid)/stat", "r") else { return false }
    defer { fclose(file) }
    var line = [CChar](repeating: 0, count: 256)
    guard fgets(&line, 256, file) != nil else { return false }
    let text = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    return text.contains(") Z ")
}
