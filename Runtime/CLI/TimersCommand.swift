import ArgumentParser

struct TimersCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "timers", abstract: "Shows what timers will fire when, without a host.")
    func run() async throws {}
}
