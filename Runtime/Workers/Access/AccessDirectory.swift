import Glibc
import Synchronization

/// Which programs may use the worker API now. Each process that runs a handler gets a token of its own, which dies with
/// it and reaches the calls of its own worker alone.
package final class AccessDirectory: Sendable {
    private struct Grant: Sendable {
        let secret: [UInt8]
        let access: WorkerAccess
    }

    private struct Contents {
        var port: Int?
        var grants: [UInt64: Grant] = [:]
        var last: UInt64 = 0
    }

    private let contents = Mutex(Contents())

    package init() {}

    /// The API listens there from now on, on loopback; processes that start from now on are told so.
    package func listens(on port: Int) { contents.withLock { $0.port = port } }

    /// What the bearer of `token` may use; `nil` for a token that was never given, or whose process is gone.
    package func access(token: String) -> WorkerAccess? {
        guard let token = AccessToken(token) else { return nil }
        guard let grant = contents.withLock({ $0.grants[token.number] }) else { return nil }
        return token.matches(grant.secret) ? grant.access : nil
    }

    /// A token for one process; `nil` while no API listens.
    func grant(_ access: WorkerAccess) -> AccessGrant? {
        let secret = AccessToken.newSecret()
        let given = contents.withLock { contents -> (port: Int, number: UInt64)? in
            guard let port = contents.port else { return nil }
            contents.last += 1
            contents.grants[contents.last] = Grant(secret: secret, access: access)
            return (port, contents.last)
        }
        return given.map { AccessGrant(directory: self, port: $0.port, token: AccessToken($0.number, secret)) }
    }

    fileprivate func revoke(_ number: UInt64) { _ = contents.withLock { $0.grants.removeValue(forKey: number) } }
}

/// What a process is given for its life.
struct AccessGrant: Sendable {
    fileprivate let directory: AccessDirectory
    /// Of the API, on loopback.
    let port: Int
    fileprivate let token: AccessToken

    var variables: [String: String] { ["APUS_API": "http://127.0.0.1:\(port)", "APUS_TOKEN": token.text] }

    /// The process is gone, or did not start.
    func revoke() { directory.revoke(token.number) }
}

/// Where it is kept, which is no secret, and what nobody can guess.
struct AccessToken: Sendable {
    private static let secretBytes = 32

    let number: UInt64
    private let secret: [UInt8]

    init(_ number: UInt64, _ secret: [UInt8]) {
        self.number = number
        self.secret = secret
    }

    /// Reads what `text` gives; `nil` for anything else.
    init?(_ text: String) {
        let parts = text.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard parts.count == 2, parts[1].count == 2 * Self.secretBytes,
            parts[0].allSatisfy({ (0x30...0x39).contains($0) }), let number = UInt64(Substring(parts[0]))
        else { return nil }
        let digits = parts[1].compactMap { Character(UnicodeScalar($0)).hexDigitValue }
        guard digits.count == parts[1].count else { return nil }
        self.number = number
        secret = stride(from: 0, to: digits.count, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
    }

    var text: String {
        let alphabet = Array("0123456789abcdef".utf8)
        let digits = secret.flatMap { [alphabet[Int($0 >> 4)], alphabet[Int($0 & 15)]] }
        return "\(number)." + String(decoding: digits, as: UTF8.self)
    }

    /// Takes the same time wherever the first difference is, so that answers do not tell how much of a guess is right.
    func matches(_ other: [UInt8]) -> Bool {
        guard secret.count == other.count else { return false }
        return zip(secret, other).reduce(0) { $0 | ($1.0 ^ $1.1) } == 0
    }

    /// 256 bits from the kernel.
    static func newSecret() -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: secretBytes)
        let result = bytes.withUnsafeMutableBytes { getentropy($0.baseAddress, $0.count) }
        precondition(result == 0, "getentropy cannot fail for 256 bytes (getentropy(3))")
        return bytes
    }
}
