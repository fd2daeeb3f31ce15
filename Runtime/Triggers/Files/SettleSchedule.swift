import Events
import Storage

/// Paths in the order in which they come due, in steps of an eighth of the settle time.
///
/// A path whose due time moves is added again; the caller knows its newest tick and skips the older ones. A path that
/// is written without pause is here nine times at most.
struct SettleSchedule: Sendable {
    private struct Bucket: Sendable {
        var tick: Int64
        var paths: [FilePath] = []
        var taken = 0
    }

    private let origin: ContinuousClock.Instant
    private let step: Duration
    private var buckets: [Bucket] = []

    init(origin: ContinuousClock.Instant, settle: Duration) {
        // A tick of 0 means "not in the schedule".
        step = max(settle / 8, .milliseconds(5))
        self.origin = origin.advanced(by: .zero - step)
    }

    var nextDue: ContinuousClock.Instant? { buckets.first.map { origin + step * Int($0.tick) } }

    /// Adds `path`, unless it is `known` to be due in the same step. Returns its tick.
    mutating func add(_ path: FilePath, due: ContinuousClock.Instant, known: Int64) -> Int64 {
        let tick = (due - origin).nanoseconds / step.nanoseconds + 1
        guard tick != known else { return tick }
        let position = (buckets.lastIndex { $0.tick <= tick }).map { $0 + 1 } ?? 0
        if position > 0, buckets[position - 1].tick == tick {
            buckets[position - 1].paths.append(path)
        } else {
            buckets.insert(Bucket(tick: tick, paths: [path]), at: position)
        }
        return tick
    }

    /// Takes the next path that is due.
    mutating func next(now: ContinuousClock.Instant) -> (path: FilePath, tick: Int64)? {
        while let bucket = buckets.first, origin + step * Int(bucket.tick) <= now {
            guard bucket.taken < bucket.paths.count else {
                buckets.removeFirst()
                continue
            }
            buckets[0].taken += 1
            return (bucket.paths[bucket.taken], bucket.tick)
        }
        return nil
    }
}
