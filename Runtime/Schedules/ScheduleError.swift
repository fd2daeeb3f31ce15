/// Why a schedule cannot be: which field, what was found there, and what is allowed.
package struct ScheduleError: Error, Hashable, CustomStringConvertible {
    package var message: String
    /// Where the offending part begins, as a UTF-8 offset inside the cron expression; `nil` where it is all of it or
    /// where there is no expression.
    package var offset: Int?

    package init(_ message: String, offset: Int? = nil) {
        self.message = message
        self.offset = offset
    }

    package var description: String { message }
}
