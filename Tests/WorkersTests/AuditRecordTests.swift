import Testing
import Workers

/// Over records as Linux 6.18 wrote them.
@Suite("An audit record of Landlock") struct AuditRecordTests {
    private static func record(_ type: UInt16, _ fields: String) -> AuditRecord? {
        AuditRecord(type: type, text: "audit(1795332145.404:2): \(fields)".utf8)
    }

    @Test(
        "says what was refused",
        arguments: [
            (#"fs.read_file path="/root/.bashrc" dev="vda" ino=3217"#, "to read /root/.bashrc"),
            (#"fs.read_dir path="/root" dev="vda" ino=3216"#, "to list /root"),
            (#"fs.make_reg path="/etc" dev="vda" ino=19"#, "to make a file in /etc"),
            (#"fs.write_file path="/tmp/other" dev="vda" ino=16236549"#, "to write /tmp/other"),
            (#"fs.write_file,fs.read_file path="/tmp/other" dev="vda" ino=1"#, "to write and read /tmp/other"),
            (
                #"fs.remove_file,fs.make_reg path="/tmp" dev="vda" ino=253853"#,
                "to remove a file and make a file in /tmp"
            ),
            (
                "fs.execute,fs.write_file,fs.read_file,fs.read_dir,fs.remove_dir,fs.remove_file,fs.make_char,"
                    + "fs.make_dir,fs.make_reg,fs.make_sock,fs.make_fifo,fs.make_block,fs.make_sym,fs.refer,fs.truncate,"
                    + #"fs.ioctl_dev path="/tmp" dev="vda" ino=253853"#, "to move or link between folders at /tmp"
            ),
            (
                #"fs.ioctl_dev path="/dev/null" dev="devtmpfs" ino=3 ioctlcmd=0x5401"#, "to control /dev/null"
            ),
            (#"scope.signal opid=1 ocomm="process_api""#, "a signal to process 1 (process_api)"),
            ("scope.signal opid=7 ocomm=6120622F63", "a signal to process 7 (a b/c)"),
            ("net.connect_tcp daddr=127.0.0.1 dest=80", "a connection to 127.0.0.1:80"),
            ("net.connect_tcp daddr=::1 dest=80", "a connection to [::1]:80"),
            ("net.bind_tcp saddr=127.0.0.1 src=8099", "to listen on 127.0.0.1:8099"),
            ("net.bind_tcp saddr=127.0.0.1", "to listen on 127.0.0.1"),
            ("scope.abstract_unix_socket path=007074616273", "a connection to the abstract socket ?ptabs"),
            ("fs.read_dir path=2F746D702F7074206469722FC3BC dev=\"vda\" ino=1", "to list /tmp/pt dir/ü"),
            // Whatever a name has in it, it is one line.
            ("fs.read_file path=2F610A62E280A863 dev=\"vda\" ino=1", "to read /a?b?c"),
            ("fs.read_file path=2F610 dev=\"vda\" ino=1", "to read 2F610"),
            ("fs.read_file", "to read something"),
            (#"fs.fly path="/a""#, "fs.fly at /a"), (#"fs.read_file,fs.fly path="/a""#, "fs.read_file, fs.fly at /a"),
        ])
    func refusals(_ fields: String, _ words: String) {
        let record = Self.record(1423, "domain=1a75fdeb9 blockers=" + fields)
        #expect(record == .access(domain: 0x1_a75f_deb9, "refused " + words))
    }

    @Test("says who is in a domain, and when it is gone")
    func domains() {
        let allocated =
            #"domain=1a75fdeb9 status=allocated mode=enforcing pid=25553 uid=0 exe="/usr/bin/python3" comm="python3""#
        #expect(Self.record(1424, allocated) == .allocated(domain: 0x1_a75f_deb9, pid: 25553))
        let deallocated = Self.record(1424, "domain=1a75fdeb9 status=deallocated denials=21")
        #expect(deallocated == .deallocated(domain: 0x1_a75f_deb9, denials: 21))
    }

    @Test(
        "that says nothing of the kind is none",
        arguments: [
            "", " ", "=", "domain", "domain=", "domain= blockers=fs.read_file", "domain=xyz blockers=fs.read_file",
            "domain=11112222333344445 blockers=fs.read_file", "domain=1", "domain=1 blockers=", "domain=1 blockers=,",
            "domain=1 status=lost", "domain=1 status=allocated", "domain=1 status=allocated pid=x",
            "\u{0}\u{1}\"\"\" path=\" ",
        ])
    func garbage(_ fields: String) {
        for type in [1423, 1424] as [UInt16] { #expect(Self.record(type, fields) == nil) }
    }

    @Test("of another type is none")
    func others() {
        #expect(Self.record(1300, "domain=1 blockers=fs.read_file status=allocated pid=1") == nil)
    }

    @Test("of any bytes at all is read without harm")
    func noise() {
        var generator = SystemRandomNumberGenerator()
        let valid = Array(#"domain=1 blockers=fs.read_file path="/a" status=allocated pid=1 opid=2"#.utf8)
        for _ in 0..<2000 {
            var bytes = valid
            for _ in 0..<Int.random(in: 1...8, using: &generator) {
                bytes[Int.random(in: bytes.indices, using: &generator)] = .random(in: 0...255, using: &generator)
            }
            for type in [1423, 1424] as [UInt16] { _ = AuditRecord(type: type, text: bytes) }
        }
    }
}
