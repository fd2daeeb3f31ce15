import NIOCore
import Wire

/// Looks into the memory that a lane shares with its workers, so that those need not ring while the lane is awake: a bell
/// is a system call of each side, and most answers come while their lane has other things to do. Confined to the lane's
/// loop.
final class MemoryWatch: @unchecked Sendable {
    /// From one look at the lane's sockets to the next.
    private static let mostTurns = 4
    /// Long enough for the loop to look at its sockets before.
    private static let pause = TimeAmount.microseconds(20)

    private let loop: any EventLoop
    private let courtesy: LaneCourtesy?
    /// Those whose workers do not ring now.
    private var awake: [ApusConnection] = []
    /// Those of the turn that ends.
    private var left: [ApusConnection] = []
    /// Those whose workers are to be woken.
    private var sleepers: [ApusConnection] = []
    private var turns = 0
    private var tick = 0
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
        if let courtesy, courtesy.ticks != tick { (tick, turns) = (courtesy.ticks, 0) }
        guard turns < Self.mostTurns else { return postpone() }
        turns += 1
        loop.assumeIsolated().execute { [self] in endTurn() }
    }

    /// Wakes the worker at the end of this turn: what it would do meanwhile keeps the lane from its own work.
    func wake(_ connection: ApusConnection) {
        attend(to: connection)
        if isPostponed { connection.ring() } else { sleepers.append(connection) }
    }

    private func postpone() {
        isPostponed = true
        loop.assumeIsolated().scheduleTask(in: Self.pause) { [self] in
            // Other work has kept the loop from its sockets.
            if let courtesy, courtesy.ticks == tick { return postpone() }
            isPostponed = false
            turns = 0
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
