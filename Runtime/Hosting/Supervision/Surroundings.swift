import Glibc

/// What a service manager such as systemd says to a service that it starts, in environment variables
/// (systemd.exec(5), sd_notify(3), sd_listen_fds(3), sd_watchdog_enabled(3)).
struct Surroundings: Sendable, Equatable {
    /// Where it wants to be told how the service is: a path, or a name in the abstract namespace after `@`.
    var notifySocket: String?
    /// Without a sign of life for so long, it ends the service.
    var watchdog: Duration?
    /// Descriptors that it has passed, each with its name.
    var sockets: [PassedSocket] = []

    private static let names = [
        "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES",
        "LISTEN_PIDFDID",
    ]

    /// - Parameter process: this one. What is meant for another, such as a parent that had not taken it, does not count.
    init(_ environment: [String: String], process: Int32) {
        if let path = environment["NOTIFY_SOCKET"], path.hasPrefix("/") || path.hasPrefix("@"), path.utf8.count > 1 {
            notifySocket = path
        }
        func isMine(_ name: String) -> Bool { environment[name].map { $0 == "\(process)" } ?? true }
        if isMine("WATCHDOG_PID"), let limit = environment["WATCHDOG_USEC"].flatMap({ Int64($0) }), limit > 0 {
            watchdog = .microseconds(limit)
        }
        guard environment["LISTEN_PID"] == "\(process)", let count = environment["LISTEN_FDS"].flatMap({ Int32($0) }),
            (1...Self.mostSockets).contains(count)
        else { return }
        let names = (environment["LISTEN_FDNAMES"] ?? "").split(separator: ":", omittingEmptySubsequences: false)
        sockets = (0..<count).map { index in
            let name = Int(index) < names.count ? String(names[Int(index)]) : ""
            return PassedSocket(descriptor: Self.firstSocket + index, name: name)
        }
    }

    /// SD_LISTEN_FDS_START.
    private static let firstSocket: Int32 = 3
    private static let mostSockets: Int32 = 64

    /// Reads this process's variables and removes them, so that nothing that is started here takes them for its own.
    ///
    /// Before other threads read the environment: `unsetenv` is not for programs that do so at the same time.
    static func take() -> Surroundings {
        var environment: [String: String] = [:]
        for name in names {
            environment[name] = getenv(name).map { String(cString: $0) }
            unsetenv(name)
        }
        let surroundings = Surroundings(environment, process: getpid())
        for socket in surroundings.sockets { _ = fcntl(socket.descriptor, F_SETFD, FD_CLOEXEC) }
        return surroundings
    }
}

/// A socket that listens already when the host starts, and goes on listening when it has ended: connections wait in it for
/// the next one.
struct PassedSocket: Sendable, Equatable {
    enum Purpose: Sendable, Equatable {
        /// In the place of `--listen` and of `--admin`.
        case functions, admin
    }

    let descriptor: Int32
    /// `FileDescriptorName=` of the socket unit; by default the unit's own name.
    let name: String

    /// `nil` for a name that means nothing here.
    var purpose: Purpose? {
        switch name {
        case "admin": .admin
        // Names that are given where nobody has chosen one.
        case "listen", "", "unknown": .functions
        default: name.hasSuffix(".socket") ? .functions : nil
        }
    }
}

/// Which passed sockets are for what.
struct PassedSockets: Sendable, Equatable {
    var functions: [Int32] = []
    var admin: Int32?

    init(_ sockets: [PassedSocket]) throws(StartFailure) {
        for socket in sockets {
            switch socket.purpose {
            case .functions: functions.append(socket.descriptor)
            case .admin where admin == nil: admin = socket.descriptor
            case .admin:
                throw StartFailure(.address, "two sockets named 'admin' were passed (LISTEN_FDNAMES); pass one")
            case .none:
                throw StartFailure(
                    .address,
                    "a socket named '\(socket.name)' was passed (LISTEN_FDNAMES), which is neither 'listen', for functions, "
                        + "nor 'admin'; set FileDescriptorName= in its socket unit to one of them")
            }
        }
    }
}
