import ArgumentParser
import Glibc

/// How every command that speaks to a host finds it.
struct AdminOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Where the host's admin API answers; default: $APUS_ADMIN or 127.0.0.1:8081.", valueName: "host:port"))
    var admin: AdminAddress?

    func client() throws -> AdminClient {
        if let admin { return AdminClient(address: admin) }
        guard let text = getenv("APUS_ADMIN").map({ String(cString: $0) }), !text.isEmpty else {
            return AdminClient(address: .standard)
        }
        guard let address = AdminAddress(argument: text) else {
            throw Failure(.configuration, "APUS_ADMIN is '\(text)', which is not HOST:PORT")
        }
        return AdminClient(address: address)
    }
}
