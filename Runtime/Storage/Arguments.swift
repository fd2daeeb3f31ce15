import Events

/// Arguments of a statement in one piece of memory: whoever enqueues gathers them, and the writer's thread binds them where
/// they are, without a copy and without an object for each.
///
/// `@unchecked Sendable`: nobody changes the memory, and it is freed with this object, which alone knows where it is.
final class Arguments: @unchecked Sendable {
    /// Of each argument its kind in eight bytes, and in eight the number or how many bytes follow.
    private let memory: UnsafeBufferPointer<UInt8>

    enum Kind: Int64 {
        case null, integer, text, blob
    }

    /// - Parameters:
    ///   - room: about how many bytes they take.
    ///   - add: adds them in order.
    init(room: Int, _ add: (inout Gatherer) -> Void) {
        var gatherer = Gatherer(room: room)
        add(&gatherer)
        memory = gatherer.bytes.take()
    }

    deinit { memory.deallocate() }

    struct Gatherer: ~Copyable {
        fileprivate var bytes: GatheredBytes

        fileprivate init(room: Int) { bytes = GatheredBytes(room: room) }

        mutating func add(_ value: Int64) { add(.integer, value) }

        mutating func add(_ text: String?) {
            guard var text else { return add(.null, 0) }
            text.withUTF8 { add(.text, UnsafeRawBufferPointer($0)) }
        }

        mutating func add(text: [UInt8]?) {
            guard let text else { return add(.null, 0) }
            text.withUnsafeBytes { add(.text, $0) }
        }

        /// A text.
        mutating func add(utf8 text: UnsafeRawBufferPointer) { add(.text, text) }

        mutating func add(blob: [UInt8]) { blob.withUnsafeBytes { add(.blob, $0) } }

        /// A blob, as the bytes by which keys are compared.
        mutating func add(_ key: StateKey) {
            var text = key.text
            text.withUTF8 { add(.blob, UnsafeRawBufferPointer($0)) }
        }

        mutating func add(_ id: InvocationID) { id.withBytes { add(.blob, $0) } }

        private mutating func add(_ kind: Kind, _ content: UnsafeRawBufferPointer) {
            add(kind, Int64(content.count))
            bytes.append(content)
        }

        private mutating func add(_ kind: Kind, _ number: Int64) {
            withUnsafeBytes(of: (kind.rawValue, number)) { bytes.append($0) }
        }
    }

    /// Gives `body` the arguments in order: a number, or bytes that are valid as long as these arguments are.
    func forEach(_ body: (Kind, _ number: Int64, _ content: UnsafeRawBufferPointer) throws -> Void) rethrows {
        let bytes = UnsafeRawBufferPointer(memory)
        var index = 0
        while index < bytes.count {
            // What `add` has put there.
            let kind = Kind(rawValue: bytes.loadUnaligned(fromByteOffset: index, as: Int64.self))!
            let number = bytes.loadUnaligned(fromByteOffset: index + 8, as: Int64.self)
            index += 16
            let count = kind == .text || kind == .blob ? Int(number) : 0
            try body(kind, number, UnsafeRawBufferPointer(rebasing: bytes[index..<index + count]))
            index += count
        }
    }
}

extension InvocationID {
    /// The 16 bytes of RFC 9562, the most significant first.
    func withBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
        try withUnsafeBytes(of: (high.bigEndian, low.bigEndian)) { try body($0) }
    }
}
