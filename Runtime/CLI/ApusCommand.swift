import ArgumentParser

/// The program `apus`.
@main
struct ApusCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "apus",
        abstract: "Runs small functions on this machine: on HTTP requests, on timers, when files change.",
        discussion: """
            A function is a program and a manifest, a short YAML file that says what calls it. Apus runs the program in \
            worker processes that come with demand and go without it; whatever the function keeps is in SQLite, and is \
            committed as one transaction with each invocation.

            Begin with:

              apus new greeter --trigger http    write a function
              apus check                         look over the manifests
              apus serve                         run what is in manifests/
              apus invoke greeter                call it

            Exit status: 0 success, 1 a check or a function failed, and those of sysexits.h: 64 wrong usage, 65 wrong \
            data, 66 nothing of that name, 69 no host answers or an address is taken, 70 the host failed, 73 cannot \
            write, 74 a connection broke, 75 try again later, 78 wrong configuration.
            """,
        version: "0.1.0",
        subcommands: [],
        groupedSubcommands: [
            CommandGroup(name: "Write", subcommands: [NewCommand.self, CheckCommand.self, TimersCommand.self]),
            CommandGroup(
                name: "Run",
                subcommands: [ServeCommand.self, ReloadCommand.self, InvokeCommand.self, CancelCommand.self]),
            CommandGroup(
                name: "Look",
                subcommands: [
                    ListCommand.self, ShowCommand.self, InvocationCommand.self, DeadCommand.self, LogsCommand.self,
                    StateCommand.self,
                ]),
            CommandGroup(name: "Keep", subcommands: [BackupCommand.self, RestoreCommand.self]),
        ])
}
