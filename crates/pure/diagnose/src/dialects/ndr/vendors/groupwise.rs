//! Novell GroupWise: the recipient and a reason in parentheses.

use super::{Sign, Vendor};

pub(super) const VENDOR: Vendor = Vendor {
    name: "groupwise",
    signs: &[
        Sign::Text("the attached file had the following undeliverable recipient"),
        Sign::Field("x-mailer", "groupwise"),
        Sign::Field("from", "groupwise"),
        Sign::Text("transcript of session follows:\n  command: data"),
    ],
    refine: None,
};
