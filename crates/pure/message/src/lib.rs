//! Reading and writing of messages: header section, trace fields, DSNs, conversion to 7 bit.
//!
//! Everything is a function of its arguments: dates, identifiers and boundaries come from outside.
//! Content is octets with CRLF line endings (RFC 5321 section 2.3.8); nothing here assumes that it is
//! well-formed, UTF-8 or even text.
//!
//! On the way of every message: [`trace`] and [`header`]. On the way of the others: [`dsn`],
//! [`seven_bit`], [`submission`], [`compose`].

pub mod author;
pub mod compose;
pub mod date;
pub mod dsn;
pub mod encoded_word;
pub mod header;
pub mod mime;
pub mod quoted_printable;
pub mod seven_bit;
pub mod submission;
pub mod trace;
pub mod valid_since;
pub mod wrap;
