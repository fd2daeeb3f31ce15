import Apus
import ApusJSON
import Foundation
import FoundationNetworking

/// A timer asks each URL in `URLS` whether it answers; `GET` shows the history, to browsers as a page.
@main
struct Uptime: TimerFunction, HTTPFunction {
    /// One answer of one URL, or why there was none.
    struct Check: Codable, Hashable {
        var time: String
        var status: Int?
        var milliseconds: Int
        var error: String?

        var isUp: Bool { (status ?? 0) < 500 && error == nil }
    }

    struct Site: Codable {
        var url: String
        /// The newest first.
        var checks: [Check]

        var availability: Double { checks.isEmpty ? 0 : Double(checks.count { $0.isUp }) / Double(checks.count) }
    }

    static let keptChecks = 500

    private let urls: [String]
    private let check: @Sendable (String) async -> Check

    init() {
        let text = ProcessInfo.processInfo.environment["URLS"] ?? ""
        self.init(urls: text.split { $0 == " " || $0 == "," }.map(String.init), check: Self.ask)
    }

    init(urls: [String], check: @escaping @Sendable (String) async -> Check) {
        self.urls = urls
        self.check = check
    }

    func run(_ timer: TimerEvent, in context: Context) async throws {
        guard !urls.isEmpty else { throw PermanentFailure("the environment names no URLS to check") }
        let checks = await withTaskGroup(of: (String, Check).self) { [check] group in
            for url in urls { group.addTask { (url, await check(url)) } }
            return await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
        }
        for (url, var check) in checks {
            check.time = timer.due
            try await record(check, of: url, in: context)
        }
    }

    private func record(_ check: Check, of url: String, in context: Context) async throws {
        var site = try await context.state.get("site/\(url)", as: Site.self) ?? Site(url: url, checks: [])
        if site.checks.first?.isUp != check.isUp {
            context.log.notice(check.isUp ? "is up" : "is down", ["url": url, "error": check.error ?? ""])
        }
        site.checks = [check] + site.checks.prefix(Self.keptChecks - 1)
        try await context.state.set("site/\(url)", to: site)
    }

    func respond(to request: HTTPRequest, in context: Context) async throws -> HTTPResponse {
        let sites = try await context.state.list(prefix: "site/", limit: 1000).map { try $0.decode(Site.self) }
        let wantsPage = request.headers["Accept"]?.contains("text/html") ?? false
        return wantsPage ? .html(Self.page(sites)) : try .json(sites)
    }

    /// Asks through libcurl; anything but an answer is an error in words.
    static func ask(_ url: String) async -> Check {
        let begin = ContinuousClock.now
        var check = Check(time: "", milliseconds: 0)
        do {
            guard let address = URL(string: url), address.host != nil else { throw URLError(.badURL) }
            let request = URLRequest(url: address, cachePolicy: .reloadIgnoringLocalCacheData, timeoutInterval: 10)
            let (_, response) = try await URLSession.shared.data(for: request)
            check.status = (response as? HTTPURLResponse)?.statusCode
        } catch {
            check.error = error.localizedDescription
        }
        check.milliseconds = Int((ContinuousClock.now - begin) / .milliseconds(1))
        return check
    }

    private static func page(_ sites: [Site]) -> String {
        let rows = sites.map { site in
            let last = site.checks.first
            let now = last.map { $0.error ?? "\($0.status ?? 0) in \($0.milliseconds) ms" } ?? "not checked yet"
            let share = Int((site.availability * 100).rounded())
            return "<tr><td>\(escaped(site.url))<td>\(escaped(now))<td>\(share) % of \(site.checks.count)"
        }
        return """
            <!doctype html><html lang="en"><meta charset="utf-8"><title>Uptime</title>
            <style>body{font:16px/1.5 system-ui;margin:2rem}td,th{padding:.2rem 1rem;text-align:left}</style>
            <h1>Uptime</h1>
            <table><tr><th>URL<th>Now<th>Available
            \(rows.joined(separator: "\n"))
            </table></html>

            """
    }

    private static func escaped(_ text: String) -> String {
        text.reduce(into: "") { result, character in
            switch character {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "\"": result += "&quot;"
            default: result.append(character)
            }
        }
    }
}
