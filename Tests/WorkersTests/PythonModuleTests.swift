import Foundation
import Manifests
import Support
import Testing

@testable import Workers

@Suite("The folder with apus.py")
struct PythonModuleTests {
    private func write(_ path: String) throws {
        let url = URL(fileURLWithPath: path)
        try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data().write(to: url)
    }

    @Test("is the one beside the program, before that of a checkout around it")
    func installed() async throws {
        try await withTemporaryFolder { folder in
            try write(folder + "/Runtime/SDK/python/apus.py")
            #expect(PythonModule.folder(of: folder + "/.build/debug/apus") == folder + "/Runtime/SDK/python")
            try write(folder + "/.build/debug/python/apus.py")
            #expect(PythonModule.folder(of: folder + "/.build/debug/apus") == folder + "/.build/debug/python")
        }
    }

    @Test("is none where the program stands alone")
    func missing() async throws {
        await #expect(try withTemporaryFolder { PythonModule.folder(of: $0 + "/bin/apus") } == nil)
    }

    @Test("comes after what the manifest declares as PYTHONPATH")
    func path() {
        #expect(PythonModule.path(after: nil, folder: "/sdk") == "/sdk")
        #expect(PythonModule.path(after: "/a:/b", folder: "/sdk") == "/a:/b:/sdk")
        #expect(PythonModule.path(after: "", folder: "/sdk") == "/sdk")
    }
}
