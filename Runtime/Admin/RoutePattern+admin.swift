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
}

extension StringProtocol {
    /// Each `%XX` replaced by its byte (RFC 3986 §2.1); `nil` when one is broken or the bytes are not UTF-8.
    var percentDecoded: String? { RequestPath.decode(Substring(self)) }
}
