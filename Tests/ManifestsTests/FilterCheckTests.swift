import Events
import Manifests
import Testing

@Suite("Filters that no message can pass")
struct FilterCheckTests {
    private func reason(_ filter: EventFilter) -> String? { FilterCheck(topic: "order").contradiction(in: filter) }

    private static let eu = EventFilter.prefix(attribute: "subject", value: "eu/")
    private static let seven = EventFilter.exact(attribute: "subject", value: "eu/7")

    @Test(
        "are found",
        arguments: [
            (.all([seven, .exact(attribute: "subject", value: "eu/8")]), "cannot be 'eu/7' when it must be 'eu/8'"),
            (.all([seven, .prefix(attribute: "subject", value: "us/")]), "when it must begin with 'us/'"),
            (.all([seven, .suffix(attribute: "subject", value: "8")]), "when it must end with '8'"),
            (.all([seven, .not(eu)]), "cannot be 'eu/7' when it must not begin with 'eu/'"),
            (
                .all([eu, .prefix(attribute: "subject", value: "us/")]),
                "begin with 'eu/' when it must begin with 'us/'"
            ),
            (.all([.prefix(attribute: "subject", value: "eu/de"), .not(eu)]), "when it must not begin with 'eu/'"),
            (
                .all([
                    .suffix(attribute: "id", value: "ab"), .suffix(attribute: "id", value: "b"),
                    .suffix(attribute: "id", value: "c"),
                ]),
                "when it must end with 'c'"
            ),
            (.not(.any([eu, .not(eu)])), "begin with 'eu/' when it must not begin with 'eu/'"),
            (
                .any([.all([seven, .not(seven)]), .all([eu, .not(eu)])]), "cannot be 'eu/7' when it must not be 'eu/7'"
            ),
            (.exact(attribute: "specversion", value: "0.3"), "'specversion' is always '1.0', and it must be '0.3'"),
            (.exact(attribute: "apustarget", value: "orders"), "'apustarget' is always 'order'"),
        ] as [(EventFilter, String)])
    func contradictions(_ filter: EventFilter, _ reason: String) {
        #expect(self.reason(filter)?.contains(reason) == true, "\(self.reason(filter) ?? "nil")")
    }

    @Test(
        "are not those that some message passes",
        arguments: [
            seven, .not(seven), .all([seven, eu]), .all([eu, .prefix(attribute: "subject", value: "eu/de")]),
            .all([eu, .not(.prefix(attribute: "subject", value: "eu/de"))]), .all([eu, .not(seven)]),
            .all([eu, .suffix(attribute: "subject", value: "us/")]), .any([.all([seven, .not(seven)]), eu]),
            .all([.not(eu), .not(.exact(attribute: "subject", value: "us/7"))]), .not(.all([eu, .not(eu)])),
            .all([seven, .exact(attribute: "region", value: "eu/8")]),
        ] as [EventFilter])
    func possible(_ filter: EventFilter) { #expect(reason(filter) == nil) }

    @Test("get the benefit of the doubt when they have very many alternatives")
    func large() {
        let pairs = (0..<40).map { number in
            EventFilter.any([
                .exact(attribute: "a\(number)", value: "1"), .exact(attribute: "a\(number)", value: "2"),
            ])
        }
        #expect(reason(.all(pairs + [.exact(attribute: "specversion", value: "2")])) == nil)
    }
}
