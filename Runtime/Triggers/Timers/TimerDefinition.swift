import Events
package import Manifests
package import Schedules
import Storage

/// One timer trigger of one function, ready to be planned.
package struct TimerDefinition: Sendable {
    package let function: String
    /// Among the timer triggers of the function, from 0.
    package let index: Int
    package let trigger: TimerTrigger
    package let schedule: Schedule

    /// What the trigger is called in rows, such as `digest/timer/0`.
    package var key: String { "\(function)/timer/\(index)" }

    /// All that decides at which instants it fires. When it changes, what was handled before counts no more.
    package var text: String {
        "\(scheduleText) \(trigger.zone) gap=\(trigger.gap.rawValue) overlap=\(trigger.fold.rawValue)"
    }

    /// The schedule as people write it.
    package var scheduleText: String {
        switch trigger.schedule {
        case .cron(let text): text
        case .every(let period): "every \(Quantity.text(period))"
        case .at(let instant): "at \(instant)"
        }
    }

    /// Those of all `manifests`.
    ///
    /// - Throws: for a zone that tzdata has lost since the manifest was read; whatever else, validation has found.
    package static func all(of manifests: [Manifest]) throws(ScheduleError) -> [TimerDefinition] {
        var zones: [String: ZoneRules] = [:]
        var all: [TimerDefinition] = []
        for manifest in manifests {
            for (index, trigger) in manifest.timerTriggers.enumerated() {
                let zone = if let known = zones[trigger.zone] { known } else { try ZoneRules.load(trigger.zone) }
                zones[trigger.zone] = zone
                all.append(try TimerDefinition(function: manifest.name, index: index, trigger: trigger, zone: zone))
            }
        }
        return all
    }

    private init(function: String, index: Int, trigger: TimerTrigger, zone: ZoneRules) throws(ScheduleError) {
        let rule: Schedule.Rule
        switch trigger.schedule {
        case .cron(let text): rule = .cron(try CronExpression(text))
        case .every(let period): rule = .every(period)
        case .at(let instant): rule = .at(instant)
        }
        self.function = function
        self.index = index
        self.trigger = trigger
        schedule = try Schedule(
            rule, zone: zone, gap: trigger.gap == .run ? .run : .skip, fold: trigger.fold == .once ? .once : .both)
    }
}

extension TimerDefinition {
    /// The invocation for the instant `due`. One that was missed is never dropped for being busy: the policy asked for
    /// it, and so it waits for its turn.
    func fire(_ due: WallTime, isMissed: Bool) -> TimerFire {
        var extensions = ["scheduled": due.description, "timer": "\(index)", "schedule": scheduleText]
        if isMissed { extensions["missed"] = "true" }
        let event = Event(
            id: due.description, source: "/functions/\(function)/timers/\(index)", type: "apus.timer.due", time: due,
            extensions: extensions)
        let waitsItsTurn = trigger.overlap == .queue || isMissed && trigger.overlap == .skip
        let invocation = NewInvocation(
            function: function, kind: .timer, trigger: key, event: event, due: due.advanced(by: jitter(of: due)),
            line: waitsItsTurn ? key : nil)
        return TimerFire(
            timer: key, due: due, invocation: invocation, skipIfBusy: trigger.overlap == .skip && !isMissed)
    }

    /// Marks `due`, and with it everything before, as handled.
    func note(_ due: WallTime) -> TimerFire {
        TimerFire(timer: key, due: due, invocation: nil, skipIfBusy: false)
    }

    /// Below `trigger.jitter`, and the same whenever the same instant of the same timer is asked for, so that a restart
    /// moves nothing: FNV-1a over the key and the instant.
    private func jitter(of due: WallTime) -> Duration {
        let limit = trigger.jitter.milliseconds
        guard limit > 0 else { return .zero }
        let hash = "\(key) \(due)".utf8.reduce(0xCBF2_9CE4_8422_2325 as UInt64) {
            ($0 ^ UInt64($1)) &* 0x100_0000_01B3
        }
        return .milliseconds(Int64((hash >> 1) % UInt64(limit)))
    }
}

extension Manifest {
    package var timerTriggers: [TimerTrigger] {
        triggers.compactMap { if case .timer(let trigger) = $0 { trigger } else { nil } }
    }
}
