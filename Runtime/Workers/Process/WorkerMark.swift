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

    private init(value: UInt64) { self.value = value }

    /// By these bits, copies of the same template differ.
    private static let copies: UInt64 = 0xFFFF_FFFF

    /// That of a template in the same place: higher than those of its copies, since marks can only be lowered.
    var ofTemplate: WorkerMark { WorkerMark(value: value | Self.copies) }

    /// That of a copy of this template.
    ///
    /// - Parameter worker: the copy's number.
    func ofCopy(_ worker: UInt32) -> WorkerMark { WorkerMark(value: value &- UInt64(worker) &- 1) }

    /// Ends what carries it.
    func killAll() { _ = apus_kill_marked(apus_marks(value: value, mask: .max)) }

    /// Ends what carries it, and what a template or its copies in the same place have left. Those of another place may be
    /// among them, once in 2³¹ times.
    func killFamily() { _ = apus_kill_marked(apus_marks(value: value, mask: ~Self.copies)) }
}
