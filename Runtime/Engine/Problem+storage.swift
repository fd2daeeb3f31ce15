package import Events
import Storage

extension Problem {
    /// What a client is told when `error` has kept the store from taking what the request has led to.
    ///
    /// What it says of paths, disks and causes is for the log and for `/readyz`.
    package init(unsaved error: any Error) {
        let error = error as? StorageError
        switch error?.code {
        case .full:
            self.init(
                status: 507, code: "storage-full", title: "No space is left for the state",
                detail: Self.detail(of: error), retryAfter: 10)
        case .inUse, .newerVersion, .olderVersion, .missing, .exists, .foreign, .damaged, .inaccessible, .readOnly,
            .disk, .closed, .failed, nil:
            self.init(
                status: 503, code: error?.mayBeApplied == true ? "storage-uncertain" : "storage-unavailable",
                title: "The state cannot be stored now", detail: Self.detail(of: error), retryAfter: 5)
        }
    }

    private static func detail(of error: StorageError?) -> String {
        guard error?.mayBeApplied == true else { return "Nothing of the request was applied." }
        return """
            The disk failed while it was stored: it is not applied now, but may turn out to be after a crash of the \
            host. Look before you try again.
            """
    }
}
