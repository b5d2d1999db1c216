//! SASLprep (RFC 4013): how one password typed in two ways becomes one.

use std::borrow::Cow;

/// A user's name; none where SASLprep says that it can't be one.
pub(crate) fn user(text: &str) -> Option<Cow<'_, str>> {
    stringprep::saslprep(text).ok().filter(|text| !text.is_empty())
}

/// A password. What SASLprep forbids is taken as it is: it was set by somebody, and only has to be the same
/// again.
pub(crate) fn password(text: &str) -> Cow<'_, str> {
    stringprep::saslprep(text).unwrap_or(Cow::Borrowed(text))
}
