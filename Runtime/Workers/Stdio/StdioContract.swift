import Events
import NIOCore

/// `stdio`: the body, or the event as JSON, on standard input; standard output is the response; exit status 0 is success.
struct StdioContract: PerCallContract {
    var tellsLength: Bool { false }
    var mindsExitStatus: Bool { true }

    func variables(for invocation: Invocation, length: Int?) -> [String: String] {
        var variables = InvocationVariables(invocation)
        if case .request(let head) = invocation.cause {
            variables["REQUEST_METHOD"] = head.method
            variables["REQUEST_PATH"] = head.path
            variables["QUERY_STRING"] = head.query
            variables["CONTENT_TYPE"] = head.headers.first("content-type") ?? ""
            variables["REMOTE_ADDR"] = head.remote.host
        }
        return variables.values
    }

    func makeReader() -> any ProgramHeadReader { Reader() }

    /// All of the output is the body.
    private struct Reader: ProgramHeadReader {
        func read(_ output: inout ByteBuffer, isWhole: Bool) throws(CallFailure) -> ProgramHead? {
            .response(StdioContract.head, streams: false)
        }
    }

    private static let head = ResponseHead(
        status: 200, headers: [HeaderField("content-type", "text/plain; charset=utf-8")])
}
