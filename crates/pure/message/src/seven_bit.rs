//! Down-conversion of content to 7 bit (RFC 6152 section 4).
