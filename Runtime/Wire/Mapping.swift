import CMemory
import Glibc

/// Memory that processes may share, as one of them has mapped it; all zero at first.
///
/// Its size stays as it is: whoever has its descriptor cannot take it away from others.
package final class Mapping: @unchecked Sendable {
    // `@unchecked`: what is in it is for those who use it to order.

    package enum Access {
        case readingAndWriting
        case reading
    }

    package let start: UnsafeMutableRawPointer
    /// In bytes.
    package let size: Int

    /// Maps `descriptor`, which stays its owner's, in its whole size.
    package init(_ descriptor: CInt, _ access: Access = .readingAndWriting) throws(WireError) {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw .system("the size of shared memory is not known", errno) }
        let protection = access == .reading ? PROT_READ : PROT_READ | PROT_WRITE
        let mapped = mmap(nil, Int(status.st_size), protection, MAP_SHARED, descriptor, 0)
        guard let mapped, mapped != MAP_FAILED else { throw .system("shared memory cannot be mapped", errno) }
        (start, size) = (mapped, Int(status.st_size))
    }

    /// Memory of this process alone.
    package init(size: Int) throws(WireError) {
        let mapped = mmap(nil, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        guard let mapped, mapped != MAP_FAILED else { throw .system("no memory", errno) }
        (start, self.size) = (mapped, size)
    }

    deinit { munmap(start, size) }

    /// Makes memory, which others may map, and gives its descriptor, which is the caller's to close.
    ///
    /// - Parameter access: of others. This process has mapped it before it is sealed.
    package static func make(
        size: Int, for access: Access
    ) throws(WireError) -> (mapping: Mapping, descriptor: CInt) {
        let descriptor = apus_make_memory(size)
        guard descriptor >= 0 else { throw .system("no memory to share", -descriptor) }
        do throws(WireError) {
            let mapping = try Mapping(descriptor)
            let seals = APUS_SEAL_SIZE | APUS_SEAL_SEALS | (access == .reading ? APUS_SEAL_WRITES : 0)
            let sealed = apus_seal_memory(descriptor, CInt(bitPattern: UInt32(seals)))
            guard sealed == 0 else { throw .system("memory to share cannot be sealed", -sealed) }
            return (mapping, descriptor)
        } catch {
            close(descriptor)
            throw error
        }
    }
}

extension WireError {
    fileprivate static func system(_ what: String, _ error: CInt) -> WireError {
        WireError("\(what): \(String(cString: strerror(error)))")
    }
}
