/// What a request may cost a host. These are counts and no times, so they hold on every machine. Each was counted in a
/// debug build and rounded up: by a few per cent, or by a tenth where it varies with what meets, such as system calls on a
/// busy machine, where events come one by one. A change that costs more changes the number, in a commit of its own that
/// says why; one that costs less lowers it.
///
/// Allocations that the optimizer removes count here: a release build has fewer. How many turns a request takes of its lane,
/// two or three, varies for a worker of `apus` with whether its bell comes in time.
///
/// Requests come one after the other on one connection. What is counted is the host, not its workers: those of `apus`,
/// `http` and `lambda` are warm, `stdio` and `cgi` have a process for each request. What the host does by the clock, to
/// look for orphans, is left out of system calls.
enum Thresholds {
    /// Allocations of a request, system calls of 1,000.
    static let contracts = [
        Contract("apus", allocations: 50, systemCalls: 10_000, callsButWaits: 4_400),
        Contract("http", allocations: 140, systemCalls: 9_300, callsButWaits: 5_000),
        Contract("lambda", allocations: 520, systemCalls: 15_000, callsButWaits: 8_700),
        Contract("stdio", allocations: 680, systemCalls: 165_000, callsButWaits: 137_000),
        Contract("cgi", allocations: 850, systemCalls: 165_000, callsButWaits: 137_000),
    ]

    /// From one look for orphans to the next, at least.
    static let look = Duration.milliseconds(20)

    /// Statements of SQLite, syncs (a checkpoint of the WAL is three more) and writes to files (a checkpoint is one for each
    /// page more), of 1,000 requests, each of which commits alone.
    static let changes = [
        Change("a read and a write of one key", "/change/add", statements: 3_100, syncs: 1_010, writes: 1_100),
        Change("an increment of one key", "/change/increment", statements: 5_100, syncs: 1_010, writes: 1_100),
        Change("a request for later", "/change/get", queued: true, statements: 4_100, syncs: 1_010, writes: 1_100),
    ]
}

struct Contract {
    let name: String
    let allocations: Int
    let systemCalls: Int
    /// How often a thread waits, and lets others go first before it does, depends on the machine, what it then does hardly.
    let callsButWaits: Int

    init(_ name: String, allocations: Int, systemCalls: Int, callsButWaits: Int) {
        self.name = name
        self.allocations = allocations
        self.systemCalls = systemCalls
        self.callsButWaits = callsButWaits
    }
}

struct Change {
    let name: String
    let path: String
    /// Answered with 202, and run an hour later.
    let queued: Bool
    let statements: Int
    let syncs: Int
    let writes: Int

    init(_ name: String, _ path: String, queued: Bool = false, statements: Int, syncs: Int, writes: Int) {
        self.name = name
        self.path = path
        self.queued = queued
        self.statements = statements
        self.syncs = syncs
        self.writes = writes
    }
}
