// swift-tools-version: 6.2
import Glibc
import PackageDescription

// In the order in which a request travels: each target imports only what stands below it.
let package = Package(
    name: "apus",
    platforms: [.macOS(.v15)],
    products: [
        .executable(name: "apus", targets: ["CLI"]),
        .library(name: "Apus", targets: ["Apus"]),
        .library(name: "ApusJSON", targets: ["ApusJSON"]),
        .library(name: "ApusTesting", targets: ["ApusTesting"]),
        // Put before libc by tests alone.
        .library(name: "FaultInjector", type: .dynamic, targets: ["FaultInjector"]),
        .library(name: "CallCounter", type: .dynamic, targets: ["CallCounter"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    ],
    targets: [
        .executableTarget(
            name: "CLI",
            dependencies: [
                "Hosting", "Admin", "Triggers", "Storage", "Manifests", "Schedules", "Events", "Telemetry", .parser,
                .nio,
                .nioPosix, .nioHTTP,
            ],
            path: "Runtime/CLI"),
        .target(
            name: "Hosting",
            dependencies: [
                "Admin", "WorkerAPI", "Gateway", "Triggers", "Engine", "Workers", "Storage", "Threads", "Manifests",
                "Events", "Telemetry", .nio, .nioPosix, .lifecycle, .signals, .logging,
            ],
            path: "Runtime/Hosting"),
        .target(
            name: "Admin",
            dependencies: [
                "Engine", "Workers", "Storage", "Manifests", "Events", .hummingbird, .hummingbirdCore, .nio, .nioHTTP,
                .nioPosix,
            ],
            path: "Runtime/Admin"),
        .target(
            name: "WorkerAPI",
            dependencies: [
                "Workers", "Manifests", "Events", .logging, .nio, .nioPosix, .nioHTTP, .hummingbird, .hummingbirdCore,
                .lifecycle,
            ],
            path: "Runtime/WorkerAPI"),
        .target(
            name: "Gateway",
            dependencies: [
                "Engine", "Workers", "Manifests", "Events", .nio, .nioPosix, .nioHTTP, .lifecycle, .logging,
            ],
            path: "Runtime/Gateway"),
        .target(
            name: "Triggers",
            dependencies: ["CTimerfd", "Engine", "Storage", "Manifests", "Schedules", "Events", .lifecycle, .logging],
            path: "Runtime/Triggers"),
        .target(
            name: "Engine",
            dependencies: ["Workers", "Storage", "Wire", "Manifests", "Events", .nio, .logging, .lifecycle],
            path: "Runtime/Engine"),
        .target(
            name: "Workers",
            dependencies: [
                "CProcess", "Threads", "Wire", "Manifests", "Events", .nio, .nioPosix, .nioHTTP, .logging,
            ],
            path: "Runtime/Workers"),
        .target(
            name: "Storage", dependencies: ["CSQLite", "Threads", "Wire", "Manifests", "Events", .grdb, .sqlite],
            path: "Runtime/Storage"),
        .target(name: "CSQLite", path: "Runtime/CSQLite"),
        .target(name: "Manifests", dependencies: ["Schedules", "Events", .yams], path: "Runtime/Manifests"),
        .target(name: "Schedules", dependencies: ["Events"], path: "Runtime/Schedules"),
        .target(name: "Events", path: "Runtime/Events"),
        .target(name: "Telemetry", dependencies: ["Events", .logging], path: "Runtime/Telemetry"),
        .target(name: "Wire", dependencies: ["CMemory"], path: "Runtime/Wire"),
        .systemLibrary(name: "CMemory", path: "Runtime/CMemory"),
        .target(name: "Threads", dependencies: ["CSlice"], path: "Runtime/Threads"),
        .systemLibrary(name: "CSlice", path: "Runtime/CSlice"),
        .target(name: "CProcess", path: "Runtime/CProcess"),
        .systemLibrary(name: "CTimerfd", path: "Runtime/CTimerfd"),
        .target(name: "Apus", dependencies: ["CFork", "Threads", "Wire"], path: "Runtime/SDK/Apus"),
        .target(name: "CFork", path: "Runtime/SDK/CFork"),
        .target(name: "ApusJSON", dependencies: ["Apus"], path: "Runtime/SDK/ApusJSON"),
        .target(name: "ApusTesting", dependencies: ["Apus"], path: "Runtime/SDK/ApusTesting"),

        .function("Hello"),
        .function("Guestbook", "ApusJSON"),
        .function("Tags", "ApusJSON"),
        .function("Uptime", "ApusJSON"),
        .function("Inbox", "ApusJSON"),

        // A disk that fails, a kill at any system call, a power cut.
        .systemLibrary(name: "CFaultControl", path: "Tests/Faults/Control"),
        .target(
            name: "FaultInjector", path: "Tests/Faults/Injector", cSettings: [.headerSearchPath("../Control")]),
        .target(name: "Support", dependencies: ["CFaultControl", "Wire"], path: "Tests/Support"),
        .testTarget(
            name: "SupportTests", dependencies: ["CFaultControl", "FaultInjector", "Support"],
            path: "Tests/SupportTests"),
        .testTarget(name: "EventsTests", dependencies: ["Events"], path: "Tests/EventsTests"),
        .testTarget(
            name: "ManifestsTests", dependencies: ["Manifests", "Events", "Support"], path: "Tests/ManifestsTests",
            exclude: ["Fixtures"]),
        .testTarget(
            name: "SchedulesTests", dependencies: ["Schedules", "Events", "Support"], path: "Tests/SchedulesTests"),
        .testTarget(name: "WireTests", dependencies: ["Wire", "Support"], path: "Tests/WireTests"),
        .testTarget(name: "ThreadsTests", dependencies: ["Threads"], path: "Tests/ThreadsTests"),
        .testTarget(
            name: "SDKTests", dependencies: ["Apus", "ApusJSON", "ApusTesting", "Wire", "Support"],
            path: "Tests/SDKTests"),
        .testTarget(
            name: "FunctionsTests",
            dependencies: ["Hello", "Guestbook", "Tags", "Uptime", "Inbox", "Apus", "ApusTesting", "Support"],
            path: "Tests/FunctionsTests"),
        .testTarget(
            name: "WorkersTests",
            dependencies: [
                "Workers", "Wire", "Manifests", "Events", "Support", "ContractWorker", .nio, .nioPosix, .nioHTTP,
            ],
            path: "Tests/WorkersTests", exclude: ["Servers"]),
        .testTarget(
            name: "StorageTests", dependencies: ["Storage", "Wire", "Manifests", "Events", "Support", .grdb],
            path: "Tests/StorageTests"),
        .testTarget(
            name: "EngineTests",
            dependencies: [
                "Engine", "Workers", "Storage", "Wire", "Manifests", "Events", "Support", "ContractWorker", .nio,
                .nioPosix, .logging, .lifecycle,
            ],
            path: "Tests/EngineTests"),
        .testTarget(
            name: "TriggersTests",
            dependencies: ["Triggers", "Engine", "Storage", "Manifests", "Schedules", "Events", "Support", .logging],
            path: "Tests/TriggersTests"),
        .testTarget(
            name: "GatewayTests",
            dependencies: [
                "Gateway", "Engine", "Workers", "Manifests", "Events", "Support", .nio, .nioEmbedded, .nioPosix,
                .nioHTTP,
                .logging,
            ],
            path: "Tests/GatewayTests"),
        .testTarget(name: "WorkerAPITests", dependencies: ["WorkerAPI", "Events"], path: "Tests/WorkerAPITests"),
        .testTarget(
            name: "AdminTests",
            dependencies: [
                "Admin", "Engine", "Workers", "Storage", "Manifests", "Events", "Support", .logging, .nio, .nioPosix,
            ],
            path: "Tests/AdminTests"),
        .testTarget(
            name: "HostingTests",
            dependencies: ["Hosting", "Workers", "Manifests", "Support", .nio, .nioPosix, .logging, .lifecycle],
            path: "Tests/HostingTests"),
        .testTarget(
            name: "TelemetryTests", dependencies: ["Telemetry", "Events", "Support", .logging],
            path: "Tests/TelemetryTests"),
        .testTarget(
            name: "CLITests",
            dependencies: [
                "CLI", "Hosting", "Admin", "Triggers", "Engine", "Workers", "Storage", "Manifests", "Events",
                "Telemetry",
                "Support", .parser, .logging, .nio, .nioPosix,
            ],
            path: "Tests/CLITests"),
        .testTarget(
            name: "EndToEnd",
            dependencies: [
                "CFaultControl", "FaultInjector", "Support", "CLI", "Threads", "Hello", "Guestbook", "Tags", "Uptime",
                "Inbox", "ContractWorker", .sqlite,
            ],
            path: "Tests/EndToEnd", exclude: ["Servers"]),
        // The proof that nothing accepted is lost and nothing is applied twice: hosts and workers are killed under load.
        .target(name: "FaultChecking", path: "Tests/Faults/Checking"),
        .target(
            name: "FaultHarness", dependencies: ["FaultChecking", "CFaultControl", "Support"],
            path: "Tests/Faults/Harness"),
        .executableTarget(name: "FaultWorker", dependencies: ["Apus"], path: "Tests/Faults/Worker"),
        .executableTarget(
            name: "Soak", dependencies: ["FaultHarness", "FaultChecking", "FaultWorker", "CLI", .parser],
            path: "Tests/Faults/Soak"),
        .testTarget(name: "FaultCheckingTests", dependencies: ["FaultChecking"], path: "Tests/Faults/CheckingTests"),
        .testTarget(
            name: "Faults", dependencies: ["FaultHarness", "FaultChecking", "FaultWorker", "CLI", "Support"],
            path: "Tests/Faults/RealBinary"),
        // What a request costs, as counts that are the same on every machine. Nothing depends on the counter, so that it
        // is no part of the test bundle: it takes the place of functions of libc, as the fault injector does.
        .target(name: "CallCounter", path: "Tests/Counts/Counter"),
        .testTarget(
            name: "Counts", dependencies: ["FaultHarness", "Support", "CLI", "Hello", "ContractWorker"],
            path: "Tests/Counts/RealBinary"),
        // What Apus is measured beside: programs run by the book.
        .target(name: "CWatchdog", path: "Tests/Benchmarks/CWatchdog"),
        .executableTarget(
            name: "Watchdog", dependencies: ["CWatchdog", .nio, .nioPosix, .nioHTTP],
            path: "Tests/Benchmarks/Watchdog"),
        .executableTarget(name: "Recorder", dependencies: ["Apus"], path: "Tests/Benchmarks/Recorder"),
        .executableTarget(name: "Ledger", dependencies: ["Apus"], path: "Tests/Benchmarks/Ledger"),
        // The handler that the contract suite and the end-to-end tests drive: it does what its request asks for.
        .executableTarget(name: "ContractWorker", dependencies: ["Apus"], path: "Tests/ContractWorker"),
    ]
)

extension Target.Dependency {
    static let parser = product(name: "ArgumentParser", package: "swift-argument-parser")
    static let lifecycle = product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
    static let signals = product(name: "UnixSignals", package: "swift-service-lifecycle")
    static let hummingbird = product(name: "Hummingbird", package: "hummingbird")
    static let hummingbirdCore = product(name: "HummingbirdCore", package: "hummingbird")
    static let logging = product(name: "Logging", package: "swift-log")
    static let nio = product(name: "NIOCore", package: "swift-nio")
    static let nioEmbedded = product(name: "NIOEmbedded", package: "swift-nio")
    static let nioPosix = product(name: "NIOPosix", package: "swift-nio")
    static let nioHTTP = product(name: "NIOHTTP1", package: "swift-nio")
    static let grdb = product(name: "GRDB", package: "GRDB.swift")
    static let sqlite = product(name: "GRDBSQLite", package: "GRDB.swift")
    static let yams = product(name: "Yams", package: "Yams")
}

extension Target {
    /// An example function: one folder under `Functions/`.
    static func function(_ name: String, _ more: Dependency...) -> Target {
        .executableTarget(name: name, dependencies: ["Apus"] + more, path: "Functions/\(name)", exclude: ["README.md"])
    }
}

// Asynchronous functions stay on their caller's executor, so that a request does not look for its own at each call.
for target in package.targets where ["Storage", "Workers", "Engine", "Gateway", "Hosting"].contains(target.name) {
    target.swiftSettings = (target.swiftSettings ?? []) + [.enableUpcomingFeature("NonisolatedNonsendingByDefault")]
}

for target in package.targets where target.type != .system {
    target.swiftSettings =
        (target.swiftSettings ?? []) + [
            .enableUpcomingFeature("ExistentialAny"),
            .enableUpcomingFeature("InternalImportsByDefault"),
            .enableUpcomingFeature("MemberImportVisibility"),
            .treatAllWarnings(as: .error),
        ]
}

// Less to load and to relocate when a program starts: what Swift's runtime needs of libstdc++ and libgcc is linked in, by
// the toolchain's own linker, no symbol is kept for others to find, and 22,000 relocations take 4 KB instead of 530, where
// the loader can read them (glibc 2.36).
var glibc = [CChar](repeating: 0, count: 64)
confstr(CInt(_CS_GNU_LIBC_VERSION), &glibc, glibc.count)
let name = String(decoding: glibc.map(UInt8.init), as: UTF8.self)
let version = name.split { !$0.isNumber }.compactMap { Int($0) }
let packing = version.lexicographicallyPrecedes([2, 36]) ? [] : ["-Xlinker", "-z", "-Xlinker", "pack-relative-relocs"]
for target in package.targets where target.type == .executable {
    target.linkerSettings = [
        .unsafeFlags(
            [
                "-use-ld=lld", "-L\(Context.packageDirectory)/packaging/linking", "-Xclang-linker", "-static-libgcc",
                "-Xlinker", "--no-export-dynamic",
            ] + packing,
            .when(platforms: [.linux], configuration: .release))
    ]
}
