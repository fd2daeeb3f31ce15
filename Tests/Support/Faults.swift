package import CFaultControl
import Foundation

/// Faults for one process and the files below one folder, which a test turns on and off while the process runs.
///
///     let faults = try Faults(below: data)
///     try await host.start(environment: faults.environment)
///     faults.control.pointee.write.error = UInt64(ENOSPC)
///
/// The knobs are `fault_control`'s; FaultControl.h says what they do. The process must be a debug build or another
/// program that calls libc dynamically. Its log for power cuts is beside the folder, since hard links must be possible.
package final class Faults: @unchecked Sendable {
    package struct Failure: Error, CustomStringConvertible {
        package let description: String
    }

    package enum Undo: UInt64 {
        case none
        /// A power cut loses all that was not synced.
        case whole
        /// A power cut may lose any of what was not synced.
        case parts
    }

    /// Shared with the process. Words that only one side writes, or that the other only counts down: a torn or late value
    /// is impossible on the machines that Apus runs on.
    package let control: UnsafeMutablePointer<fault_control>
    package let folder: String
    private let path: String

    /// - Parameter folder: exists, or its parent does; without symbolic links.
    package init(below folder: String, undo: Undo = .none) throws {
        self.folder = folder
        path = folder + ".faults"
        let file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard file >= 0, ftruncate(file, off_t(MemoryLayout<fault_control>.size)) == 0 else {
            throw Failure(description: "cannot make \(path): \(String(cString: strerror(errno)))")
        }
        defer { close(file) }
        let size = MemoryLayout<fault_control>.size
        guard let memory = mmap(nil, size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0), memory != MAP_FAILED else {
            throw Failure(description: "cannot map \(path): \(String(cString: strerror(errno)))")
        }
        control = memory.bindMemory(to: fault_control.self, capacity: 1)
        control.pointee = fault_control()
        control.pointee.magic = 0x4170_7573_466C_7431
        control.pointee.undo = undo.rawValue
    }

    deinit { munmap(control, MemoryLayout<fault_control>.size) }

    /// Where the build has put the library: beside the test bundle, which is the first argument of its runner.
    package static let library =
        URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent().path + "/libFaultInjector.so"

    /// Joins the environment of the process.
    package var environment: [String: String] {
        [
            "LD_PRELOAD": Self.library, "APUS_FAULTS_FOLDER": folder, "APUS_FAULTS_CONTROL": path,
            "APUS_FAULTS_UNDO": undoLog,
        ]
    }

    /// Gives a process a wall clock of its own; what it measures durations by stays real.
    ///
    /// - Parameters:
    ///   - start: in ISO 8601 with the zone, such as `2026-06-01T10:30:00Z`; the process begins at that time.
    ///   - speed: seconds that pass in a real one.
    package static func clock(at start: String, speed: Int = 1) throws -> [String: String] {
        let date = try Date(start, strategy: .iso8601)
        let seconds = Int(date.timeIntervalSince1970)
        return ["LD_PRELOAD": library, "TZ": "UTC", "APUS_FAULTS_CLOCK": "\(seconds) \(speed)"]
    }

    /// What `PowerCut` reads.
    package var undoLog: String { folder + ".undo" }

    // MARK: What tests do often

    /// Files can grow by `bytes` together; `nil`: by any number.
    package func limitSpace(to bytes: Int?) {
        control.pointee.space_left = UInt64(bytes ?? 0)
        control.pointee.space_limited = bytes == nil ? 0 : 1
    }

    /// Writing, opening for writing, renaming, removing and syncing fail, as on a file system that is read-only now.
    package func makeReadOnly(_ isReadOnly: Bool) {
        let error = isReadOnly ? UInt64(EROFS) : 0
        control.pointee.write.error = error
        control.pointee.sync.error = error
        control.pointee.open.error = error
        control.pointee.change.error = error
    }

    /// Kills the process at its `count`-th call from now on among `calls`.
    package func kill(at count: Int, of calls: [fault_call], _ moment: fault_moment = FAULT_BEFORE) {
        control.pointee.kill_calls = calls.reduce(0) { $0 | UInt64($1.rawValue) }
        control.pointee.kill_when = UInt64(moment.rawValue)
        control.pointee.kill_in = UInt64(count)
    }

    /// All knobs off, but for `undo`; counts stay.
    package func clear() {
        let (undo, calls, failed) = (control.pointee.undo, control.pointee.calls, control.pointee.failed)
        var calm = fault_control()
        calm.magic = control.pointee.magic
        (calm.undo, calm.calls, calm.failed) = (undo, calls, failed)
        control.pointee = calm
    }
}
