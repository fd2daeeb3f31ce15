import Events
import Manifests
import Testing
import Triggers

@testable import CLI

@Suite struct ForecastTests {
    static let manifest = Manifest(
        name: "digest", handler: Handler(command: ["/bin/true"], contract: .stdio, directory: "/"),
        triggers: [
            .http(HTTPTrigger(path: RoutePattern(segments: [], description: "/"))),
            .timer(TimerTrigger(schedule: .every(.seconds(86_400)))),
            .timer(TimerTrigger(schedule: .cron("30 2 * * *"), zone: "Europe/Berlin")),
        ])

    @Test("each line has the time, the local time, the timer and what the clocks do to it")
    func lines() throws {
        let page = ForecastPage([Self.manifest])
        #expect(page.title.hasPrefix("UTC                       LOCAL"))
        let start = try #require(WallTime(rfc3339: "2026-03-29T00:00:00Z"))
        let lines = try TimerForecast([Self.manifest], from: start, for: .seconds(7200)).map { $0 }
        let text = lines.map(page.text)
        #expect(text.count == 2)
        #expect(text[0] == "2026-03-29T00:00:00.000Z  2026-03-29T00:00:00+00:00  UTC    digest    every 1d")
        #expect(
            text[1].hasPrefix(
                "2026-03-29T01:00:00.000Z  2026-03-29T03:00:00+02:00  CEST   digest    cron 30 2 * * * Europe/Berlin  ")
        )
        #expect(text[1].hasSuffix("02:30 does not exist, runs at 03:00"))
        #expect(try page.json(lines[1]).contains(#""timer":"cron 30 2 * * * Europe/Berlin""#))
    }

    @Test("a skipped time says that it does not fire")
    func skipped() throws {
        var manifest = Self.manifest
        manifest.triggers = [.timer(TimerTrigger(schedule: .cron("30 2 * * *"), zone: "Europe/Berlin", gap: .skip))]
        let start = try #require(WallTime(rfc3339: "2026-03-29T00:00:00Z"))
        let line = try #require(try TimerForecast([manifest], from: start, for: .seconds(7200)).first { _ in true })
        #expect(!line.fires)
        #expect(ForecastPage([manifest]).text(line).contains("does not fire: "))
        #expect(try ForecastPage([manifest]).json(line).contains(#""fires":false"#))
    }
}
