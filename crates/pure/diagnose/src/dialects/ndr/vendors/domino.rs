//! Lotus Notes and Domino: `was not delivered to:`, `because:`.

use super::{Sign, Vendor};

pub(super) const VENDOR: Vendor = Vendor {
    name: "domino",
    signs: &[
        Sign::Field("x-mailer", "lotus domino"),
        Sign::Field("received", "(lotus "),
        Sign::Text("domino directory"),
        Sign::Text("------- failure reasons"),
        Sign::Field("subject", "delivery failure:"),
    ],
    refine: None,
};
