import CProcess

/// By which all processes of a worker are known, wherever they have gone: see `apus_mark`.
struct WorkerMark: Sendable, Hashable {
    /// Neither 0 nor the top bit, which together stand for "no mark".
    let value: UInt64

    /// - Parameter temporaryDirectory: of the worker; no other has the same, and who finds it left behind finds its
    ///   processes too.
    init(temporaryDirectory: String) {
        // FNV-1a: the same in every host.
        let hash = temporaryDirectory.utf8.reduce(0xcbf2_9ce4_8422_2325 as UInt64) {
            ($0 ^ UInt64($1)) &* 0x100_0000_01b3
        }
        value = hash >> 1 | 1
    }

    /// Ends what carries it.
    func killAll() { _ = apus_kill_marked(value) }
}
