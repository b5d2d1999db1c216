//! Mimecast: a page of HTML, with a table of recipient and reason.

use super::{Sign, Vendor};

pub(super) const VENDOR: Vendor = Vendor {
    name: "mimecast",
    signs: &[
        Sign::Text("mimecast"),
        Sign::Field("received", "mimecast"),
        Sign::Field("from", "mimecast"),
    ],
    refine: None,
};
