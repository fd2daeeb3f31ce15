import Gateway
import Glibc
import NIOCore
import Storage
import Telemetry

/// What kept a host from running, for whoever started it.
package struct StartFailure: Error, Sendable, CustomStringConvertible {
    package enum Kind: Sendable, Hashable {
        /// What the manifests ask for cannot be.
        case manifests
        /// Another program listens on the address, or the address cannot be had.
        case address
        /// Another host has the data folder, or another program has locked its database; it may end.
        case dataInUse
        /// The data folder cannot be written.
        case dataUnwritable
        /// What is in the data folder is not for this version, or damaged.
        case dataUnreadable
        /// The machine has less than the sandbox that is required.
        case sandbox
        /// Anything else.
        case host
    }

    package let kind: Kind
    package let description: String

    /// - Parameter error: what `Host.run` has thrown.
    package init(_ error: any Error, configuration: HostConfiguration) {
        switch error {
        case let failure as StartFailure:
            self = failure
        case let invalid as InvalidManifests:
            self.init(.manifests, "nothing is served, since the manifests have problems:\n\(invalid)")
        case let error as GatewayError:
            self.init(.address, error.description)
        case let error as StorageError:
            self.init(Self.kind(of: error.code), error.description)
        case let error as LogError:
            self.init(.dataUnwritable, error.description)
        case let error as IOError where [EADDRINUSE, EACCES, EADDRNOTAVAIL].contains(error.errnoCode):
            // Of the admin server: the gateway and the store have errors of their own.
            let reason = String(cString: strerror(error.errnoCode))
            self.init(
                .address,
                "cannot listen on \(configuration.admin) for the admin API: \(reason); choose another address with "
                    + "--admin")
        default:
            self.init(.host, "\(error)")
        }
    }

    init(_ kind: Kind, _ description: String) {
        self.kind = kind
        self.description = description
    }

    private static func kind(of code: StorageError.Code) -> Kind {
        switch code {
        case .inUse: .dataInUse
        case .inaccessible, .full, .readOnly, .disk, .exists: .dataUnwritable
        case .newerVersion, .olderVersion, .missing, .foreign, .damaged: .dataUnreadable
        case .closed, .failed: .host
        }
    }
}
