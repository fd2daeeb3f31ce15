/// A host: everything that `apus serve` runs.
package struct Host: Sendable {
    private let configuration: HostConfiguration

    package init(_ configuration: HostConfiguration) { self.configuration = configuration }

    package func run() async throws { fatalError("seam") }
}
