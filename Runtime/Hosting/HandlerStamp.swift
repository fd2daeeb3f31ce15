import Manifests
import Workers

/// What tells one build of a handler from another: its program, and the files that its command names.
///
/// What those import in turn is not known to anybody but them: a change of that alone is no change here.
struct HandlerStamp: Equatable {
    private let files: [ProgramStamp]

    /// `nil` when the program is not there.
    init?(of handler: Handler) {
        guard let command = handler.command.first, let program = ProgramStamp(command) else { return nil }
        files = [program] + handler.namedFiles.compactMap(ProgramStamp.init)
    }
}
