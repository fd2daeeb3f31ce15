import Engine
import Events
import Logging
import Manifests
import NIOCore
import Synchronization
import Workers

/// What the connections of a lane share with other threads. One for each lane, as each of its requests holds it: what two
/// lanes count the owners of travels between their processors.
final class GatewayShared: Sendable {
    let configuration: GatewayConfiguration
    let respond: HTTPGateway.Respond
    let queue: RequestQueue
    let logger: Logger
    let routes = LaneRoutes()
    /// Those of all lanes.
    let connections: ConnectionCount

    init(
        configuration: GatewayConfiguration, respond: @escaping HTTPGateway.Respond, queue: RequestQueue,
        logger: Logger, connections: ConnectionCount
    ) {
        self.configuration = configuration
        self.respond = respond
        self.queue = queue
        self.logger = logger
        self.connections = connections
    }
}

/// Where the requests of a lane go.
final class LaneRoutes: Sendable {
    private let newest = Mutex(RouteTable.empty)
    /// How often they have changed.
    private let version = Atomic(0)

    /// - Parameter table: for this lane alone.
    func update(_ table: RouteTable) {
        newest.withLock { $0 = table }
        version.add(1, ordering: .releasing)
    }

    /// For one look-up.
    var table: RouteTable { newest.withLock { $0 } }

    /// Renews `table` when there is a newer one than of `version`.
    func renew(_ table: inout RouteTable, _ version: inout Int) {
        let newest = self.version.load(ordering: .acquiring)
        guard newest != version else { return }
        version = newest
        table = self.table
    }
}

/// The connections of one lane, and what they share without a lock. Confined to the lane's loop.
final class GatewayLane {
    let shared: GatewayShared
    let configuration: GatewayConfiguration
    let bodyLimits: BodyLimits
    let lane: Lane
    private var table = RouteTable.empty
    private var tableVersion = 0
    private var connections: [ObjectIdentifier: HTTPConnection] = [:]
    private var dateLine = DateLine()
    private var isSweeping = false
    private var memory = UnsafeMutableRawBufferPointer.allocate(byteCount: 32 << 10, alignment: 1)
    /// No bytes. NIO's own empty buffer is one for all threads, whose count of owners would travel between the processors
    /// several times a request.
    let nothing = ByteBufferAllocator().buffer(capacity: 1)
    private(set) var isDraining = false

    /// - Parameter shared: this lane's.
    init(shared: GatewayShared, lane: Lane) {
        self.shared = shared
        configuration = shared.configuration
        bodyLimits = BodyLimits(configuration)
        self.lane = lane
    }

    // Nobody has the memory for longer than a call of one of its connections, which all hold the lane.
    deinit { memory.deallocate() }

    var router: RouteTable {
        shared.routes.renew(&table, &tableVersion)
        return table
    }

    /// Returns how many connections all lanes have now.
    func add(_ connection: HTTPConnection) -> Int {
        connections[ObjectIdentifier(connection)] = connection
        scheduleSweep()
        return shared.connections.add()
    }

    func remove(_ connection: HTTPConnection) {
        guard connections.removeValue(forKey: ObjectIdentifier(connection)) != nil else { return }
        shared.connections.subtract()
    }

    /// The `Date` and `Server` lines of a response that is written now.
    func responseTrailer() -> [UInt8] { dateLine.at(.coarse) }

    /// Memory of at least so many bytes, for a response that is on its way before the next is written.
    func memory(for count: Int) -> UnsafeMutableRawBufferPointer {
        if memory.count < count {
            memory.deallocate()
            memory = .allocate(byteCount: count, alignment: 1)
        }
        return memory
    }

    /// Closes idle connections soon and the others after their running request.
    func drain() {
        isDraining = true
        // The next look may be later than what is closed soon needs.
        isSweeping = false
        scheduleSweep()
        for connection in Array(connections.values) { connection.drain() }
    }

    /// Cancels what still runs, and says so.
    func closeAll() {
        for connection in Array(connections.values) { connection.stop() }
    }

    /// One timer a lane looks at the deadlines of all its connections, and rests while there are none.
    private func scheduleSweep() {
        guard !isSweeping else { return }
        isSweeping = true
        let bound = NIOLoopBound(self, eventLoop: lane.loop)
        let time = isDraining ? configuration.drainingSweepTime : configuration.sweepTime
        lane.loop.scheduleTask(in: TimeAmount(time)) { bound.value.sweep() }
    }

    private func sweep() {
        isSweeping = false
        let now = NIODeadline.now()
        for connection in Array(connections.values) { connection.tick(now) }
        if !connections.isEmpty { scheduleSweep() }
    }
}
