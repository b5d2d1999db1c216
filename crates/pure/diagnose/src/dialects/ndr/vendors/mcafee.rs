//! McAfee WebShield and NSMail: `The following addresses had delivery problems`.

use super::{Sign, Vendor};

pub(super) const VENDOR: Vendor = Vendor {
    name: "mcafee",
    signs: &[
        Sign::Field("x-nai-header", "modified by mcafee"),
        Sign::Text("--- the following addresses had delivery problems ---"),
    ],
    refine: None,
};
