//! Building a message from its parts, for `mailwright send`.
