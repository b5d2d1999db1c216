//! Courier: a whole dialogue of `>>>` and `<<<` lines below the recipient.

use super::{Sign, Vendor};

pub(super) const VENDOR: Vendor = Vendor {
    name: "courier",
    signs: &[
        Sign::Text("this is a delivery status notification from"),
        Sign::Field("from", "courier mail server"),
        Sign::Text("the courier mail server"),
    ],
    refine: None,
};
