extension Store {
    /// Returns when the writer has come to it, whether it could write or not: a thread that hangs never does.
    package func pulse() async { _ = try? await writer.perform { _ in } }
}
