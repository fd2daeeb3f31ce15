enum Retention {
    /// How long a result is kept.
    static let results = Duration.seconds(86_400)
}
