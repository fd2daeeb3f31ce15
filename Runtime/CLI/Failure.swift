import ArgumentParser
import Glibc
import Telemetry

/// Why a command did not do its work: what a person reads, and the exit status that a program reads.
struct Failure: Error, CustomStringConvertible, Equatable {
    /// Exit statuses of `sysexits.h`.
    enum Status: Int32 {
        /// A check found problems, or the function answered with an error.
        case failed = 1
        case usage = 64
        case data = 65
        case noInput = 66
        case unavailable = 69
        case software = 70
        case cannotCreate = 73
        case inputOutput = 74
        case temporary = 75
        case configuration = 78
    }

    var status: Status
    var description: String

    init(_ status: Status, _ description: String) {
        self.status = status
        self.description = description
    }
}

extension ParsableCommand {
    /// Runs `body`; prints what it fails with, and ends the program with the status that belongs to it.
    func reporting(_ body: () async throws -> Void) async throws {
        do {
            try await body()
        } catch let failure as Failure {
            if !failure.description.isEmpty { Terminal.error("apus: \(failure)") }
            throw ExitCode(failure.status.rawValue)
        } catch let exit as ExitCode {
            throw exit
        } catch {
            Terminal.error("apus: \(error)")
            throw ExitCode(Failure.Status.software.rawValue)
        }
    }
}

/// Where output goes.
enum Terminal {
    /// Whether standard output is a terminal that shows colours.
    static var hasColours: Bool { Console.Format.automatic(on: STDOUT_FILENO) == .pretty }

    /// What is not for programs: a message may quote what came from outside.
    static func error(_ text: String) {
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map { String($0).printable() }
        _ = Array((lines.joined(separator: "\n") + "\n").utf8).write(to: STDERR_FILENO)
    }

    static func line(_ text: String) { bytes(Array((text + "\n").utf8)) }

    /// Writes at once, since a reader at the end of a pipe may be waiting for just this.
    ///
    /// When nobody reads any more, as after `| head`, there is nothing left to do: the program ends.
    static func bytes(_ bytes: [UInt8]) {
        if !bytes.write(to: STDOUT_FILENO) { exit(Failure.Status.inputOutput.rawValue) }
    }
}
