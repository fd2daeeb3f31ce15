/// What Landlock has refused, in words.
struct LandlockRefusal: CustomStringConvertible {
    let description: String

    private static let ofFiles: [Substring: String] = [
        "fs.execute": "run", "fs.write_file": "write", "fs.read_file": "read", "fs.read_dir": "list",
        "fs.truncate": "truncate", "fs.ioctl_dev": "control", "fs.change_topology": "mount at",
    ]
    /// Of entries; the path is that of the folder.
    private static let ofFolders: [Substring: String] = [
        "fs.remove_dir": "remove a folder", "fs.remove_file": "remove a file", "fs.make_char": "make a device",
        "fs.make_dir": "make a folder", "fs.make_reg": "make a file", "fs.make_sock": "make a socket",
        "fs.make_fifo": "make a pipe", "fs.make_block": "make a device", "fs.make_sym": "make a link",
    ]

    /// `nil` where it does not say what was refused.
    init?(_ fields: AuditFields) {
        guard let names = fields["blockers"], let first = names.split(separator: ",").first else { return nil }
        let path = fields.untrusted("path") ?? fields.untrusted("name") ?? "something"
        let process = "process \(fields["opid"] ?? "?")" + (fields.untrusted("ocomm").map { " (\($0))" } ?? "")
        let refused =
            switch first {
            case "scope.signal": "a signal to \(process)"
            case "ptrace": "a look into \(process)"
            case "scope.abstract_unix_socket": "a connection to the abstract socket \(path)"
            case "net.connect_tcp": "a connection to \(Self.address(fields["daddr"], fields["dest"]))"
            case "net.bind_tcp": "to listen on \(Self.address(fields["saddr"], fields["src"]))"
            default: Self.attempt(names.split(separator: ","), at: path)
            }
        description = "refused " + refused
    }

    private static func attempt(_ names: [Substring], at path: String) -> String {
        // It names all that the file would then be open to, which may be everything.
        if names.contains("fs.refer") { return "to move or link between folders at \(path)" }
        let files = names.compactMap { ofFiles[$0] }
        if files.count == names.count { return "to \(files.joined(separator: " and ")) \(path)" }
        let entries = names.compactMap { ofFolders[$0] }
        if entries.count == names.count { return "to \(entries.joined(separator: " and ")) in \(path)" }
        return "\(names.joined(separator: ", ")) at \(path)"
    }

    private static func address(_ host: Substring?, _ port: Substring?) -> String {
        let host = host ?? "*"
        // Without one, the kernel was to choose it.
        return (host.contains(":") ? "[\(host)]" : host) + (port.map { ":" + $0 } ?? "")
    }
}
