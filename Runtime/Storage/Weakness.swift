#if DEBUG
    /// A guarantee that a test takes away, to show that its harness would notice. Release builds have none.
    package enum Weakness: String, Sendable, CaseIterable {
        /// Commits whether or not what was read is still current.
        case versions
        /// Lets whoever ever had a lease settle its invocation.
        case epochs
    }
#else
    package enum Weakness: Sendable, Hashable {}
#endif

extension Set<Weakness> {
    var skipsVersions: Bool {
        #if DEBUG
            contains(.versions)
        #else
            false
        #endif
    }

    var skipsEpochs: Bool {
        #if DEBUG
            contains(.epochs)
        #else
            false
        #endif
    }
}
