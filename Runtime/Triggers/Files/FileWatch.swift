import Events
package import Manifests
import Storage

/// One file trigger of the running set.
package struct FileWatch: Sendable, Equatable {
    package var function: String
    /// Its place among the function's file triggers, from 0.
    package var index: Int
    package var trigger: FileTrigger
    /// Invocations of the function that may wait.
    package var queue: Int

    package init(function: String, index: Int, trigger: FileTrigger, queue: Int = .max) {
        self.function = function
        self.index = index
        self.trigger = trigger
        self.queue = queue
    }

    /// The key of its index and of its invocations.
    package var key: String { "\(function)/file/\(index)" }

    var source: String { "/functions/\(function)/files/\(index)" }

    var filter: FileFilter { FileFilter(include: trigger.include, exclude: trigger.exclude) }

    package static func all(of manifests: [Manifest]) -> [FileWatch] {
        manifests.flatMap { manifest in
            let triggers = manifest.triggers.compactMap { if case .file(let trigger) = $0 { trigger } else { nil } }
            return triggers.enumerated().map {
                FileWatch(function: manifest.name, index: $0, trigger: $1, queue: manifest.limits.queue)
            }
        }
    }

    /// The index row that tells for which folder and patterns the index was made, under a path that no file has.
    ///
    /// With another folder or other patterns, the differences to the index would not be changes of files; the trigger
    /// starts anew then, as if it had never scanned.
    static let markPath: FilePath = ""

    /// FNV-1a (http://www.isthe.com/chongo/tech/comp/fnv/), since it must be the same in every run of the host.
    var mark: FileStamp {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        let parts = [[trigger.watch], trigger.include.map(\.description), trigger.exclude.map(\.description)]
        for text in parts.flatMap({ $0 + [""] }) {
            for byte in text.utf8 + [0] { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        }
        return FileStamp(size: 0, modified: 0, inode: hash & 0x7fff_ffff_ffff_ffff)
    }
}

/// Where a file trigger stands.
package enum FileTriggerState: String, Sendable, Codable {
    /// Its index is being read.
    case loading
    case watching
    /// The watched folder does not exist.
    case waitingForFolder
    /// The kernel refuses to watch it all; changes are found by looking from time to time.
    case limited
}
