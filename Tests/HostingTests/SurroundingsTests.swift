import Testing

@testable import Hosting

@Suite("What a service manager says in the environment")
struct SurroundingsTests {
    private static func sockets(_ environment: [String: String]) -> [PassedSocket] {
        Surroundings(environment, process: 42).sockets
    }

    @Test("without any of it, nothing is there")
    func nothing() {
        let surroundings = Surroundings([:], process: 42)
        #expect(surroundings.notifySocket == nil)
        #expect(surroundings.watchdog == nil)
        #expect(surroundings.sockets.isEmpty)
    }

    @Test("a notify socket has a path or an abstract name; what is neither is ignored, as sd_notify(3) would refuse it")
    func notifySocket() {
        func socket(_ text: String) -> String? { Surroundings(["NOTIFY_SOCKET": text], process: 42).notifySocket }
        #expect(socket("/run/systemd/notify") == "/run/systemd/notify")
        #expect(socket("@abstract") == "@abstract")
        for text in ["", "/", "@", "relative", "vsock:2:1234"] { #expect(socket(text) == nil) }
    }

    @Test("the watchdog's time is in microseconds, and may be meant for another process")
    func watchdog() {
        func limit(_ environment: [String: String]) -> Duration? {
            Surroundings(environment, process: 42).watchdog
        }
        #expect(limit(["WATCHDOG_USEC": "30000000"]) == .seconds(30))
        #expect(limit(["WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "42"]) == .seconds(30))
        #expect(limit(["WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "41"]) == nil)
        for text in ["", "0", "-1", "soon"] { #expect(limit(["WATCHDOG_USEC": text]) == nil) }
    }

    @Test("sockets begin at descriptor 3, and have names where there are any")
    func sockets() {
        let environment = ["LISTEN_PID": "42", "LISTEN_FDS": "3", "LISTEN_FDNAMES": "listen:admin"]
        #expect(
            Self.sockets(environment) == [
                PassedSocket(descriptor: 3, name: "listen"), PassedSocket(descriptor: 4, name: "admin"),
                PassedSocket(descriptor: 5, name: ""),
            ])
        #expect(Self.sockets(["LISTEN_PID": "42", "LISTEN_FDS": "1"]) == [PassedSocket(descriptor: 3, name: "")])
    }

    @Test("sockets that are meant for another process, or make no sense, are left alone")
    func othersSockets() {
        #expect(Self.sockets(["LISTEN_PID": "41", "LISTEN_FDS": "1"]).isEmpty)
        #expect(Self.sockets(["LISTEN_FDS": "1"]).isEmpty)
        for count in ["", "0", "-1", "many", "100000"] {
            #expect(Self.sockets(["LISTEN_PID": "42", "LISTEN_FDS": count]).isEmpty)
        }
    }

    @Test("a socket serves functions unless it is named admin")
    func purposes() throws {
        let named = ["apus.socket", "listen", "", "unknown", "admin"].enumerated().map {
            PassedSocket(descriptor: 3 + Int32($0), name: $1)
        }
        let sockets = try PassedSockets(named)
        #expect(sockets.functions == [3, 4, 5, 6])
        #expect(sockets.admin == 7)
    }

    @Test("a name that means nothing, and a second admin socket, are told with what to do")
    func wrongNames() {
        func failure(_ names: String...) -> StartFailure? {
            #expect(throws: StartFailure.self) {
                try PassedSockets(names.map { PassedSocket(descriptor: 3, name: $0) })
            }
        }
        let typo = failure("amdin")
        #expect(typo?.kind == .address)
        #expect(typo?.description.contains("'amdin'") == true)
        #expect(typo?.description.contains("FileDescriptorName=") == true)
        #expect(failure("admin", "admin")?.kind == .address)
    }
}
