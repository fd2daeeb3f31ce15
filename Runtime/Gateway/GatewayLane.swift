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
    let router = Mutex(RouteTable.empty)
    let connections = ConnectionCount()
    let isDraining = Atomic(false)

    init(
        configuration: GatewayConfiguration, respond: @escaping HTTPGateway.Respond, queue: RequestQueue, logger: Logger
    ) {
        self.configuration = configuration
        self.respond = respond
        self.queue = queue
        self.logger = logger
    }
}

/// The connections of one lane, and what they share without a lock. Confined to the lane's loop.
final class GatewayLane {
    let shared: GatewayShared
    let lane: Lane
    private var connections: [ObjectIdentifier: HTTPConnection] = [:]
    private var dateLine = DateLine()
    private var isSweeping = false
    private var buffer = ByteBuffer()
    /// No bytes. NIO's own empty buffer is one for all threads, whose count of owners would travel between the processors
    /// several times a request.
    let nothing = ByteBufferAllocator().buffer(capacity: 1)
    private(set) var isDraining = false

    init(shared: GatewayShared, lane: Lane) {
        self.shared = shared
        self.lane = lane
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
    func responseTrailer() -> [UInt8] { dateLine.at(.now()) }

    /// Hands out the lane's buffer, empty, for one write. Each response that goes out at once leaves it to the next.
    func withBuffer(_ body: (inout ByteBuffer) -> Void) -> ByteBuffer {
        buffer.clear()
        body(&buffer)
        return buffer
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
        let configuration = shared.configuration
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
