/// Why a host cannot start, in words for the operator.
package struct HostFailure: Error, CustomStringConvertible {
    package enum Code: Sendable {
        /// It cannot listen where it shall.
        case address
        /// What the manifests ask for cannot be.
        case manifests
    }

    package let code: Code
    package let description: String

    package init(_ code: Code, _ description: String) {
        self.code = code
        self.description = description
    }
}
