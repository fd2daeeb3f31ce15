/// What a manifest may say that this version does not do yet. A line goes when its function comes.
enum Availability {
    /// As the manifest writes it, and what to do until then.
    static let missing: KeyValuePairs<String, String> = [
        "trigger state": "use http, timer, file or topic",
        "idempotency: optional": "leave it out, or write off",
        "idempotency: required": "leave it out, or write off",
        "keep": "leave it out",
    ]

    /// Reports `feature` at `position` when it is one of the missing.
    static func check(_ feature: String, at position: Position, _ report: Report) {
        guard let advice = missing.first(where: { $0.key == feature })?.value else { return }
        report.add(position, "\(feature) is not available in this version; \(advice)")
    }
}
