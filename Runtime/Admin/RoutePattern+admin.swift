package import Events
package import Manifests

extension RoutePattern {
    /// A path that the pattern matches with no parameter set; `nil` when it needs one.
    package var plainPath: String? {
        var path = ""
        for segment in segments {
            switch segment {
            case .literal(let text): path += "/" + text
            case .parameter: return nil
            case .optional, .rest: break
            }
        }
        return path.isEmpty ? "/" : path
    }

    /// The parameters, percent-decoded, when the pattern matches `path`; `nil` when it does not.
    package func parameters(in path: String) -> [HeaderField]? {
        guard path.hasPrefix("/") else { return nil }
        var rest = path.dropFirst().split(separator: "/", omittingEmptySubsequences: false)[...]
        if rest.count == 1, rest.first == "" { rest = [] }
        var parameters: [HeaderField] = []
        for segment in segments {
            switch segment {
            case .literal(let text):
                guard let part = rest.popFirst(), part.percentDecoded == text else { return nil }
            case .parameter(let name):
                guard let part = rest.popFirst(), !part.isEmpty, let value = part.percentDecoded else { return nil }
                parameters.append(HeaderField(name, value))
            case .optional(let name):
                guard let part = rest.popFirst(), !part.isEmpty else { continue }
                guard let value = part.percentDecoded else { return nil }
                parameters.append(HeaderField(name, value))
            case .rest(let name):
                guard let value = rest.joined(separator: "/").percentDecoded else { return nil }
                parameters.append(HeaderField(name, value))
                rest = []
            }
        }
        return rest.isEmpty ? parameters : nil
    }
}

extension StringProtocol {
    /// Each `%XX` replaced by its byte (RFC 3986 §2.1); `nil` when one is broken or the bytes are not UTF-8.
    var percentDecoded: String? {
        var bytes: [UInt8] = []
        var rest = Array(utf8)[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard rest.count >= 2, let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16) else {
                return nil
            }
            bytes.append(value)
            rest = rest.dropFirst(2)
        }
        return String(validating: bytes, as: UTF8.self)
    }
}
