import Events
import Testing

@Suite("A filter on the attributes of an event")
struct EventFilterTests {
    private let event = Event(
        id: "7", source: "/functions/shop", type: "order.placed", subject: "eu/de/7", time: WallTime(milliseconds: 0),
        dataContentType: "application/json", extensions: ["region": "eu", "priority": "1"])

    private func matches(_ filter: EventFilter) -> Bool { filter.matches(event) }

    @Test(
        "sees every attribute by its CloudEvents name",
        arguments: [
            ("specversion", "1.0"), ("id", "7"), ("source", "/functions/shop"), ("type", "order.placed"),
            ("subject", "eu/de/7"), ("time", "1970-01-01T00:00:00.000Z"), ("datacontenttype", "application/json"),
            ("region", "eu"),
        ])
    func attributes(_ name: String, _ value: String) {
        #expect(matches(.exact(attribute: name, value: ExactText(value))))
        #expect(!matches(.exact(attribute: name, value: ExactText(value + "x"))))
    }

    @Test("compares the whole text, its beginning or its end")
    func comparisons() {
        #expect(matches(.prefix(attribute: "subject", value: "eu/")))
        #expect(matches(.prefix(attribute: "subject", value: "eu/de/7")))
        #expect(!matches(.prefix(attribute: "subject", value: "eu/de/77")))
        #expect(!matches(.prefix(attribute: "subject", value: "de/")))
        #expect(matches(.suffix(attribute: "subject", value: "/7")))
        #expect(matches(.suffix(attribute: "subject", value: "eu/de/7")))
        #expect(!matches(.suffix(attribute: "subject", value: "0eu/de/7")))
        #expect(!matches(.suffix(attribute: "subject", value: "eu/")))
    }

    @Test("tells upper case from lower case, and texts apart that only look the same")
    func bytes() {
        #expect(!matches(.exact(attribute: "region", value: "EU")))
        var event = event
        event.subject = "caf\u{E9}"
        #expect(EventFilter.exact(attribute: "subject", value: "caf\u{E9}").matches(event))
        #expect(!EventFilter.exact(attribute: "subject", value: "cafe\u{301}").matches(event))
        #expect(!EventFilter.prefix(attribute: "subject", value: "cafe").matches(event))
    }

    @Test("matches nothing by an attribute that the event lacks, but for what it must not be")
    func missing() {
        let filter = EventFilter.prefix(attribute: "customer", value: "vip")
        #expect(!matches(filter))
        #expect(matches(.not(filter)))
    }

    @Test("can want all, any or none of several")
    func combinations() {
        let eu = EventFilter.exact(attribute: "region", value: "eu")
        let us = EventFilter.exact(attribute: "region", value: "us")
        let placed = EventFilter.exact(attribute: "type", value: "order.placed")
        #expect(matches(.all([eu, placed])) && !matches(.all([us, placed])))
        #expect(matches(.any([us, placed])) && !matches(.any([us, .not(placed)])))
        #expect(matches(.not(.any([us, .not(placed)]))))
    }

    @Test("reads as one line")
    func description() {
        let eu = EventFilter.prefix(attribute: "subject", value: "eu/")
        let test = EventFilter.suffix(attribute: "subject", value: ".test")
        let vip = EventFilter.exact(attribute: "customer", value: "vip")
        #expect(
            EventFilter.all([.not(.any([eu, test])), vip]).description
                == "not (subject=eu/* or subject=*.test) and customer=vip")
    }
}
