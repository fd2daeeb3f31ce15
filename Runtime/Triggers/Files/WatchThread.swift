import Glibc
import Logging

/// The thread that reads inotify: nothing else on it can let the kernel's queue run over.
struct WatchThread {
    private let thread: pthread_t

    private final class Start {
        let exchange: FileExchange
        let logger: Logger

        init(exchange: FileExchange, logger: Logger) {
            self.exchange = exchange
            self.logger = logger
        }
    }

    struct NotStarted: Error, CustomStringConvertible {
        var code: Int32
        var description: String { "cannot start the thread that watches files: \(String(cString: strerror(code)))" }
    }

    /// Runs a `FileWatcher` until `exchange` is stopped.
    init(exchange: FileExchange, logger: Logger) throws {
        let start = Unmanaged.passRetained(Start(exchange: exchange, logger: logger))
        var thread = pthread_t()
        let code = pthread_create(
            &thread, nil,
            { argument in
                // Proof: `argument` is `start`, retained once for this thread; pthread_create passes it unchanged.
                let start = Unmanaged<Start>.fromOpaque(argument!).takeRetainedValue()
                FileWatcher(exchange: start.exchange, logger: start.logger).run()
                return nil
            }, start.toOpaque())
        guard code == 0 else {
            start.release()
            throw NotStarted(code: code)
        }
        self.thread = thread
    }

    func join() { pthread_join(thread, nil) }
}
