extension ManifestParser {
    /// A handler as written: nothing has been looked for yet.
    struct HandlerSyntax {
        var program: HandlerResolver.Program
        var contract: Handler.Contract
        var directory: String
        /// Where `product` or the command's first word stands.
        var value: Value
        /// Where `directory` stands, if it does.
        var directoryValue: Value?
        /// Where the words of a command stand.
        var words: [Value] = []
        var health: String?
        var path: String?
    }

    func handlerSyntax(_ value: Value) -> HandlerSyntax? {
        let keys = ["product", "command", "contract", "directory", "health", "path"]
        guard let mapping = value.mapping(keys: keys) else { return nil }
        guard var syntax = programSyntax(value, mapping) else { return nil }
        syntax.health = mapping["health"].flatMap { target($0, "health", of: syntax.contract) }
        syntax.path = mapping["path"].flatMap { target($0, "path", of: syntax.contract) }
        return syntax
    }

    private func programSyntax(_ value: Value, _ mapping: Mapping) -> HandlerSyntax? {
        let directory = mapping["directory"].map { path($0) } ?? folder
        let contract = mapping["contract"].map { self.contract($0) }
        switch (mapping["product"], mapping["command"]) {
        case (let product?, nil):
            if let contract = contract ?? nil, contract != .apus {
                mapping["contract"]?.refuse("a product speaks apus; leave the contract out, or use 'command'")
            }
            guard let name = productName(product), let directory else { return nil }
            return HandlerSyntax(
                program: .product(name), contract: .apus, directory: directory, value: product,
                directoryValue: mapping["directory"])
        case (nil, let command?):
            let words = command.items(
                "a list of the program and its arguments, such as [python3, handler.py]",
                whenEmpty: "give the program and its arguments", meantBy: Self.words(of:))
            let arguments = words?.compactMap { $0.textAsWritten("text") } ?? []
            guard let words, let first = words.first, arguments.count == words.count else { return nil }
            guard arguments[0] != "" else {
                first.refuse("the program is empty")
                return nil
            }
            // A command without a contract is a filter, the one contract that any program speaks.
            guard let directory, let contract = contract ?? .stdio else { return nil }
            return HandlerSyntax(
                program: .command(arguments), contract: contract, directory: directory, value: first,
                directoryValue: mapping["directory"], words: words)
        case (.some, .some):
            value.refuse("'product' and 'command' exclude each other; keep one of them")
        case (nil, nil):
            value.refuse("nothing to run; give 'product' (of the Swift package around it) or 'command'")
        }
        return nil
    }

    /// What a command line means: its words, or a shell's reading of it where it has more than words.
    private static func words(of line: String) -> [String] {
        let isPlain = line.allSatisfy { $0.isLetter || $0.isNumber || " ./-_:,+@".contains($0) }
        return isPlain ? line.split(separator: " ").map(String.init) : ["sh", "-c", line]
    }

    func resolve(_ syntax: HandlerSyntax) -> Handler? {
        let found = handlers.locate(syntax.program, syntax.directory, folder)
        switch found {
        case .success(let command):
            var product: String?
            if case .product(let name) = syntax.program { product = name }
            return Handler(
                command: command, contract: syntax.contract, directory: syntax.directory,
                namesDirectory: syntax.directoryValue != nil, product: product, health: syntax.health,
                path: syntax.path ?? "/")
        case .failure(let error):
            let culprit =
                switch error.part {
                case .program: syntax.value
                case .word(let index): syntax.words[index]
                case .directory: syntax.directoryValue ?? syntax.value
                }
            culprit.refuse(error.message)
            return nil
        }
    }

    private func contract(_ value: Value) -> Handler.Contract? {
        value.choice(Handler.Contract.self)
    }

    /// A path, and perhaps a query, that the host asks a server of contract http for.
    private func target(_ value: Value, _ key: String, of contract: Handler.Contract) -> String? {
        guard let text = value.text("a path such as /healthz") else { return nil }
        guard contract == .http else {
            value.refuse("only contract http has a '\(key)'; leave it out")
            return nil
        }
        let isTarget = text.utf8.allSatisfy { (0x21...0x7E).contains($0) && $0 != UInt8(ascii: "#") }
        guard text.hasPrefix("/"), isTarget else {
            value.refuse("'\(text)' is no path; it begins with '/', and what is not ASCII is percent-encoded")
            return nil
        }
        return text
    }

    private func productName(_ value: Value) -> String? {
        guard let name = value.text("the name of an executable product") else { return nil }
        guard !name.isEmpty, !name.contains("/"), name != ".", name != ".." else {
            value.refuse("'\(name)' is no product; give the name that Package.swift gives to the executable")
            return nil
        }
        return name
    }

    /// A path as an absolute one.
    func path(_ value: Value) -> String? {
        guard let text = value.text("a path") else { return nil }
        guard !text.isEmpty else {
            value.refuse("the path is empty; '.' is the manifest's folder")
            return nil
        }
        guard text != "~", !text.hasPrefix("~/") else {
            value.refuse("'~' is not expanded; write the absolute path")
            return nil
        }
        return AbsolutePath.resolve(text, from: folder)
    }
}
