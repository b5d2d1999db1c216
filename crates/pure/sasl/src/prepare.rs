//! SASLprep (RFC 4013): how one password typed in two ways becomes one.

use std::borrow::Cow;

/// A password. What SASLprep forbids is taken as it is: it was set by somebody, and only has to be the same
/// again.
pub(crate) fn password(text: &str) -> Cow<'_, str> {
    stringprep::saslprep(text).unwrap_or(Cow::Borrowed(text))
}
