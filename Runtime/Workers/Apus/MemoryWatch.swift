import NIOCore
import Wire

/// Looks into the memory that a lane shares with its workers, so that those need not ring while the lane is awake: a bell
/// is a system call of each side, and most answers come while their lane has other things to do. Confined to the lane's
/// loop.
final class MemoryWatch: @unchecked Sendable {
    private let loop: any EventLoop
    private let courtesy: LaneCourtesy?
    /// Those whose workers do not ring now.
    private var awake: [ApusConnection] = []
    /// Those of the turn that ends.
    private var left: [ApusConnection] = []
    /// Those whose workers are to be woken.
    private var sleepers: [ApusConnection] = []
    private var pacing = LookPacing()
    /// Pauses that are over.
    private var pauses = 0
    private var isDue = false
    private var isPostponed = false

    init(_ loop: any EventLoop, courtesy: LaneCourtesy?) {
        self.loop = loop
        self.courtesy = courtesy
    }

    /// Something has gone to the worker, or come from it: it will be looked at before the lane sleeps.
    func attend(to connection: ApusConnection) {
        if !connection.isAttended {
            connection.isAttended = true
            connection.memory?.wakes()
            awake.append(connection)
        }
        guard !isDue else { return }
        isDue = true
        if let pause = pacing.pause(at: tick) { return postpone(for: pause) }
        loop.assumeIsolated().execute { [self] in endTurn() }
    }

    /// Wakes the worker at the end of this turn: what it would do meanwhile keeps the lane from its own work.
    func wake(_ connection: ApusConnection) {
        attend(to: connection)
        if isPostponed { connection.ring() } else { sleepers.append(connection) }
    }

    /// Without a courtesy nobody counts; a pause is long enough, then.
    private var tick: Int { courtesy?.ticks ?? pauses }

    private func postpone(for pause: TimeAmount) {
        isPostponed = true
        loop.assumeIsolated().scheduleTask(in: pause) { [self] in
            pauses &+= 1
            // Other work has kept the loop from its sockets.
            if let pause = pacing.pause(at: tick) { return postpone(for: pause) }
            isPostponed = false
            endTurn()
        }
    }

    private func endTurn() {
        look()
        courtesy?.yield()
        look()
        // Two arrays by turns, whose memory stays.
        swap(&awake, &left)
        isDue = false
        for connection in left {
            connection.isAttended = false
            if !connection.leaveMemory() { attend(to: connection) }
        }
        left.removeAll(keepingCapacity: true)
    }

    private func look() {
        var index = 0
        // It may become longer meanwhile.
        while index < awake.count {
            awake[index].lookIntoMemory()
            index += 1
        }
        for connection in sleepers { connection.ring() }
        sleepers.removeAll(keepingCapacity: true)
    }
}
