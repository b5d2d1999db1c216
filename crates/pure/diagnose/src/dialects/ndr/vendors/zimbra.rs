//! Zimbra: Postfix' words under its own name.

use super::{Sign, Vendor};

pub(super) const VENDOR: Vendor = Vendor {
    name: "zimbra",
    signs: &[Sign::Field("x-mailer", "zimbra"), Sign::Text("zimbra")],
    refine: None,
};
