import Events
import Schedules

extension ManifestParser {
    func timer(_ value: Value) -> TimerTrigger? {
        let keys = ["cron", "every", "at", "zone", "dst", "missed", "missedLimit", "overlap", "jitter"]
        guard let mapping = value.mapping(keys: keys) else { return nil }
        let kinds = mapping.entries.filter { ["cron", "every", "at"].contains($0.key) }
        if kinds.isEmpty { value.refuse("when? give one of 'cron', 'every' and 'at'") }
        if kinds.count > 1 {
            value.refuse("'\(kinds[0].key)' and '\(kinds[1].key)' exclude each other; give each its own timer")
        }
        if kinds.count == 1, kinds[0].key != "cron" {
            for entry in mapping.entries where ["zone", "dst"].contains(entry.key) {
                report.add(
                    entry.position, "'\(entry.key)' is for 'cron', not for '\(kinds[0].key)'; leave it out")
            }
        }
        var trigger = TimerTrigger(schedule: .every(.seconds(1)))
        let dst = mapping["dst"]?.mapping(keys: ["gap", "overlap"])
        trigger.gap = dst?["gap"].flatMap { $0.choice(TimerTrigger.Gap.self) } ?? trigger.gap
        trigger.fold = dst?["overlap"].flatMap { $0.choice(TimerTrigger.Fold.self) } ?? trigger.fold
        trigger.missed = mapping["missed"].flatMap { $0.choice(TimerTrigger.Missed.self) } ?? trigger.missed
        trigger.missedLimit = mapping["missedLimit"].flatMap { $0.integer(in: 1...10_000) } ?? trigger.missedLimit
        trigger.overlap = mapping["overlap"].flatMap { $0.choice(TimerTrigger.Overlap.self) } ?? trigger.overlap
        trigger.jitter =
            mapping["jitter"].flatMap { $0.duration(from: .zero, to: .seconds(86_400)) } ?? trigger.jitter
        if let entry = mapping.entry("missedLimit"), trigger.missed != .all {
            report.add(entry.position, "'missedLimit' bounds 'missed: all'; write that too, or leave it out")
        }
        guard let schedule = schedule(mapping, &trigger), kinds.count == 1 else { return nil }
        trigger.schedule = schedule
        checkJitter(trigger, mapping)
        return trigger
    }

    /// Reads whichever of the three is there, and the zone, which is part of what a cron expression means.
    private func schedule(_ mapping: Mapping, _ trigger: inout TimerTrigger) -> TimerTrigger.Schedule? {
        var schedule: TimerTrigger.Schedule?
        if let every = mapping["every"], let interval = every.duration(from: .seconds(1)) {
            schedule = .every(interval)
        }
        if let at = mapping["at"], let instant = instant(at) { schedule = .at(instant) }
        if let zone = mapping["zone"], let name = zone.text("an IANA zone such as Europe/Berlin") {
            checkZone(name, zone)
            trigger.zone = name
        }
        if let cron = mapping["cron"], let text = cron.text("a cron expression such as \"0 7 * * 1-5\"") {
            checkCron(text, cron)
            schedule = .cron(text)
        }
        return schedule
    }

    private func instant(_ value: Value) -> WallTime? {
        let what = "an instant with its offset, such as 2026-12-24T18:00:00+01:00"
        guard let text = value.text(what) else { return nil }
        guard let instant = WallTime(rfc3339: text) else {
            let isWithoutOffset = WallTime(rfc3339: text + "Z") != nil
            value.expected(what, advice: isWithoutOffset ? "; add the offset, such as Z or +01:00" : "")
            return nil
        }
        return instant
    }

    private func checkCron(_ text: String, _ value: Value) {
        do {
            guard try !CronExpression(text).fires else { return }
            value.refuse("'\(text)' never fires: no such day is in the calendar")
        } catch {
            let scalars = text.utf8.prefix(error.offset ?? 0).count { $0 & 0xC0 != 0x80 }
            report.add(value.position(atScalar: scalars), "\(value.path): \(error.message)")
        }
    }

    private func checkZone(_ name: String, _ value: Value) {
        do {
            _ = try ZoneRules.load(name)
        } catch {
            let names = ZoneRules.knownNames()
            // Who writes only the city means the zone that ends in it.
            let city = names.first { $0.lowercased().hasSuffix("/" + name.lowercased()) }
            let near = city.map { "; did you mean '\($0)'?" } ?? Suggestion.phrase(for: name, among: names)
            value.refuse(error.message + near)
        }
    }

    private func checkJitter(_ trigger: TimerTrigger, _ mapping: Mapping) {
        guard case .every(let interval) = trigger.schedule, trigger.jitter >= interval else { return }
        mapping["jitter"]?.refuse(
            "\(Quantity.text(trigger.jitter)) is not shorter than 'every: \(Quantity.text(interval))'")
    }
}
