import Engine
import Events
import Logging
import Manifests
import NIOCore
import Synchronization
import Workers

/// What all connections share, on every lane.
final class GatewayShared: Sendable {
    let configuration: GatewayConfiguration
    let respond: HTTPGateway.Respond
    let queue: RequestQueue
    let logger: Logger
    let routes: SharedRoutes
    let connections = ConnectionCount()
    let isDraining = Atomic(false)

    init(
        configuration: GatewayConfiguration, lanes: Int, respond: @escaping HTTPGateway.Respond, queue: RequestQueue,
        logger: Logger
    ) {
        self.configuration = configuration
        routes = SharedRoutes(lanes: lanes)
        self.respond = respond
        self.queue = queue
        self.logger = logger
    }
}

/// Where requests go. Each lane has a table of its own, since what two lanes count the owners of travels between their
/// processors.
final class SharedRoutes: Sendable {
    private let lanes: Int
    private let tables: Mutex<[RouteTable]>
    /// How often they have changed.
    private let version = Atomic(0)

    init(lanes: Int) {
        self.lanes = lanes
        tables = Mutex([RouteTable](repeating: .empty, count: lanes))
    }

    func update(_ manifests: [Manifest]) {
        let new = (0..<lanes).map { _ in RouteTable(manifests) }
        tables.withLock { $0 = new }
        version.add(1, ordering: .releasing)
    }

    /// For one look-up.
    var any: RouteTable { tables.withLock { $0[0] } }

    /// Renews the table of a lane when there is a newer one than of that version.
    func renew(_ table: inout RouteTable, _ version: inout Int, of lane: Int) {
        let newest = self.version.load(ordering: .acquiring)
        guard newest != version else { return }
        version = newest
        table = tables.withLock { $0[lane] }
    }
}

/// The connections of one lane, and what they share without a lock. Confined to the lane's loop.
final class GatewayLane {
    let shared: GatewayShared
    let configuration: GatewayConfiguration
    let bodyLimits: BodyLimits
    let lane: Lane
    /// Which of the lanes.
    private let index: Int
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

    /// - Parameter index: which of the lanes.
    init(shared: GatewayShared, lane: Lane, index: Int) {
        self.shared = shared
        configuration = shared.configuration
        bodyLimits = BodyLimits(configuration)
        self.lane = lane
        self.index = index
    }

    // Nobody has the memory for longer than a call of one of its connections, which all hold the lane.
    deinit { memory.deallocate() }

    var router: RouteTable {
        shared.routes.renew(&table, &tableVersion, of: index)
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
