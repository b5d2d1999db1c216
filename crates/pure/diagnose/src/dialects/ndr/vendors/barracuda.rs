//! Barracuda's filters: a machine-readable part, `Message content rejected, UBE`.

use super::{Sign, Vendor};

pub(super) const VENDOR: Vendor = Vendor {
    name: "barracuda",
    signs: &[
        Sign::Field("from", "barracuda"),
        Sign::Text("barracuda"),
        Sign::Field("received", "barracuda"),
    ],
    refine: None,
};
