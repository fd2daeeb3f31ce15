import Events
import Manifests

/// `cgi`: a program of the Common Gateway Interface 1.1 (RFC 3875).
///
/// An event is a `POST` of the event as JSON, in the structured mode of CloudEvents; a 2xx response and exit status 0
/// acknowledge it. Where the RFC is silent: the exit status of a program that has answered a request means nothing, as
/// with other servers; a search string is no command line (§4.4), since it would let strangers choose arguments; and
/// there are no NPH scripts (§5).
struct CGIContract: PerCallContract {
    private let script: CGIScript

    init(_ manifest: Manifest) { script = CGIScript(manifest) }

    /// RFC 3875 §4.2: transfer codings are removed, and the length is of what is left.
    var tellsLength: Bool { true }
    var mindsExitStatus: Bool { false }

    func variables(for invocation: Invocation, length: Int?) -> [String: String] {
        CGIVariables(invocation, of: script, length: length).values
    }

    func makeReader() -> any ProgramHeadReader { CGIHeadReader() }
}
