import Engine
import Events
import NIOCore
import Testing

@Suite("Fingerprints of requests")
struct FingerprintTests {
    private static func hex(_ bytes: [UInt8]) -> String {
        bytes.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
    }

    /// The examples of NIST's "SHA-256" and one that ends exactly where the length would begin.
    @Test(
        "SHA-256 gives what FIPS 180-4 says",
        arguments: [
            ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
            ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
            (
                "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
                "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
            ),
        ])
    func vectors(text: String, digest: String) {
        var hash = SHA256()
        Array(text.utf8).withUnsafeBytes { hash.update($0) }
        #expect(Self.hex(hash.finish()) == digest)
    }

    @Test("a long text has the same hash in whatever pieces it comes", arguments: [1, 3, 63, 64, 65, 127, 1000])
    func pieces(size: Int) {
        let text = [UInt8](repeating: UInt8(ascii: "a"), count: 10_000)
        var hash = SHA256()
        text.withUnsafeBytes { bytes in
            for start in stride(from: 0, to: bytes.count, by: size) {
                hash.update(UnsafeRawBufferPointer(rebasing: bytes[start..<min(start + size, bytes.count)]))
            }
        }
        #expect(Self.hex(hash.finish()) == "27dd1f61b867b6a0f6e9d8a41c43231de52107e53ae424de8f847b821db4b711")
    }

    private static func fingerprint(
        _ method: String = "POST", _ path: String = "/a", _ query: String = "b", type: String? = "c",
        body: String = "d", other: [HeaderField] = []
    ) -> [UInt8] {
        let headers = (type.map { [HeaderField("content-type", $0)] } ?? []) + other
        let head = RequestHead(method: method, path: path, query: query, headers: headers, remoteAddress: "x")
        return Fingerprint.of(head, ByteBuffer(string: body))
    }

    @Test("each part of a request counts, and none can pass for a piece of its neighbour")
    func parts() {
        let all = [
            Self.fingerprint(), Self.fingerprint("PUT"), Self.fingerprint("POST", "/b"),
            Self.fingerprint("POST", "/a", "c"), Self.fingerprint(type: "x"), Self.fingerprint(type: nil),
            Self.fingerprint(body: "e"), Self.fingerprint("POST", "/ab", ""), Self.fingerprint(type: nil, body: "cd"),
            Self.fingerprint("POST", "/a1:b", ""),
        ]
        #expect(Set(all).count == all.count)
    }

    @Test("other header fields, which differ from one repeat to the next, do not count")
    func headers() {
        let other = [HeaderField("Date", "now"), HeaderField("Traceparent", "00-1-2-3")]
        #expect(Self.fingerprint(other: other) == Self.fingerprint())
    }
}
