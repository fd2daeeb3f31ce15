import Storage

/// What `apus serve` is told.
package struct HostConfiguration: Sendable {
    /// Manifest files, and folders of them.
    package var manifests: [String] = ["manifests"]
    /// The data folder: state, queue, timers, file index, logs.
    package var data = ".apus"
    /// Where functions are served.
    package var listen = ListenAddress(port: 8080)
    /// Where the admin API is served.
    package var admin = ListenAddress(port: 8081)
    /// Most workers of all functions together.
    package var maxWorkers: Int
    /// Event loops.
    package var lanes: Int
    /// How long a stopping host lets run what runs.
    package var drain: Duration = .seconds(30)
    /// Whether changed manifests and handlers are taken up at once.
    package var watch = false
    /// Whether the host runs only on a machine that has every protection of the sandbox, and only functions that use it.
    package var requiresFullSandbox = false
    /// How long done asynchronous invocations and their results are kept.
    package var keepDone = Retention().done
    /// How long dead letters are kept.
    package var keepDead = Retention().dead
    /// How log lines look on standard error.
    package var logFormat: LogFormat = .automatic
    /// Standard error shows lines of this level and above; the log in the data folder has all.
    package var logLevel: LogLevel = .info

    /// - Parameter cores: the machine's, each of which gets a lane; four workers a core is what the idle and the waiting
    ///   ones leave room for, and never fewer than 64.
    package init(cores: Int) {
        lanes = max(1, cores)
        maxWorkers = max(64, cores * 4)
    }
}

extension HostConfiguration {
    var retention: Retention {
        var retention = Retention()
        retention.done = keepDone
        retention.results = keepDone
        retention.dead = keepDead
        return retention
    }
}
