//! List managers (Mailman, Google Groups, Majordomo): the list says no, not a mail server.

use super::{Sign, Vendor};

pub(super) const VENDOR: Vendor = Vendor {
    name: "mailman",
    signs: &[
        Sign::Field("list-id", ""),
        Sign::Field("x-mailman-version", ""),
        Sign::Text("mailing list * members"),
    ],
    refine: None,
};
