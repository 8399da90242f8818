//! What an error means, in a sentence.

use crate::error_code::ErrorCode;

impl ErrorCode {
    /// A short explanation for people.
    #[must_use]
    pub const fn message(self) -> &'static str {
        self.name()
    }
}
