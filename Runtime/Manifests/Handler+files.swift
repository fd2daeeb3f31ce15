extension Handler {
    /// Where the code may be that the arguments name, as absolute paths: a path, such as an interpreter's script; a module of
    /// Python (`-m shop.orders`, `shop.orders:app`); or the handler of a Lambda runtime (`orders.handler`).
    package var namedFiles: [String] {
        var paths: [String] = []
        var isModule = false
        for argument in command.dropFirst() where !argument.isEmpty {
            paths.append(AbsolutePath.resolve(argument, from: directory))
            func add(_ name: some StringProtocol, _ endings: [String]) {
                let module = name.split(separator: ".").joined(separator: "/")
                paths += endings.map { "\(directory)/\(module)\($0)" }
            }
            if isModule {
                add(argument, [".py", "/__main__.py"])
            } else if let colon = argument.firstIndex(of: ":") {
                add(argument[..<colon], [".py", "/__init__.py"])
            } else if contract == .lambda, let dot = argument.lastIndex(of: ".") {
                add(argument[..<dot], Self.lambdaEndings)
            }
            isModule = argument == "-m"
        }
        return paths
    }

    /// Of the languages that have a Lambda runtime which takes its handler's name as an argument.
    private static let lambdaEndings = [".py", ".js", ".mjs", ".cjs", ".rb"]
}
