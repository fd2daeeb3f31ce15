/// TCP ports on loopback by which the host and one worker speak, open whatever the worker's network is.
struct Endpoints: Sendable, Equatable {
    /// On which the worker listens.
    var listen: [Int] = []
    /// On which the host listens, for this worker.
    var connect: [Int] = []

    static let none = Endpoints()
}
